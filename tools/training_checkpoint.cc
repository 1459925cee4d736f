// Arrays as tensors, the rest as JSON.
#include "tools/training_checkpoint.h"

#include <cstring>
#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

#include "engine/error.h"

namespace inocula {

namespace {

using Json = nlohmann::ordered_json;

constexpr int kVersion = 2;
constexpr const char* kKeptWeights = "kept_weights";
constexpr const char* kKeptStatistics = "kept_running_statistics";

void put_array(Checkpoint& c, const std::string& name, const std::vector<float>& values) {
  Array array{ElementType::f32, {static_cast<std::int64_t>(values.size())}, {}};
  array.bytes.resize(values.size() * sizeof(float));
  std::memcpy(array.bytes.data(), values.data(), array.bytes.size());
  c.tensors.emplace(name, std::move(array));
}

std::vector<float> get_array(const Checkpoint& c, const std::string& name) {
  const auto found = c.tensors.find(name);
  if (found == c.tensors.end()) fail(ErrorKind::bad_data, "checkpoint: array '", name, "' is missing");
  const auto values = values_of<float>(found->second, "checkpoint: array '" + name + "'");
  return {values.begin(), values.end()};
}

Json overfitting_json(const OverfittingState& s) {
  Json json{{"stopped", s.stopped}};
  if (s.accuracy) json["accuracy"] = *s.accuracy;
  if (s.unharmed) json["kept_batches_tracked"] = s.unharmed->batches_tracked;
  return json;
}

OverfittingState overfitting_from(const Json& json, const Checkpoint& c) {
  OverfittingState s;
  s.stopped = json.at("stopped");
  if (json.contains("accuracy")) s.accuracy = json["accuracy"].get<double>();
  if (json.contains("kept_batches_tracked"))
    s.unharmed = {get_array(c, kKeptWeights), get_array(c, kKeptStatistics), json["kept_batches_tracked"]};
  if (s.stopped && !s.unharmed)
    fail(ErrorKind::bad_data, "checkpoint: training was stopped, but no network is kept");
  return s;
}

[[noreturn]] void refuse_other_settings(const std::string& before, const std::string& now) {
  std::istringstream a(before), b(now);
  std::string line_before, line_now;
  while (true) {
    const bool more_before = static_cast<bool>(std::getline(a, line_before));
    const bool more_now = static_cast<bool>(std::getline(b, line_now));
    if (!more_before) line_before = "nothing";
    if (!more_now) line_now = "nothing";
    if (line_before != line_now || (!more_before && !more_now)) break;
  }
  fail(ErrorKind::config, "--resume: the run was started with '", line_before, "', now it is '", line_now,
       "'; expected the same settings");
}

}  // namespace

Checkpoint to_checkpoint(const RunState& run, const RunIdentity& identity) {
  const TrainerState& s = run.trainer;
  Checkpoint c;
  Json order = Json::array();
  for (const TrainerState::Array& a : s.arrays) {
    put_array(c, a.name, a.values);
    order.push_back(a.name);
  }
  if (const std::optional<NetworkNumbers>& unharmed = run.overfitting.unharmed) {
    put_array(c, kKeptWeights, unharmed->weights);
    put_array(c, kKeptStatistics, unharmed->running_statistics);
  }
  const Json state{{"version", kVersion},
                   {"step", s.step},
                   {"batches_tracked", s.batches_tracked},
                   {"epoch_loss", s.tally.loss},
                   {"epoch_correct", s.tally.correct},
                   {"epoch_seen", s.tally.seen},
                   {"arrays", order},
                   {"overfitting", overfitting_json(run.overfitting)},
                   {"settings", identity.settings},
                   {"data_xxh3_128", identity.data_digest}};
  c.state_json = state.dump();
  c.step = static_cast<std::uint64_t>(s.step);
  return c;
}

RunState from_checkpoint(const Checkpoint& c, const RunIdentity& identity) {
  RunState run;
  TrainerState& s = run.trainer;
  try {
    const Json state = Json::parse(c.state_json);
    if (state.at("version") != kVersion)
      fail(ErrorKind::config, "checkpoint: version ", state.at("version").dump(), ", this program reads ",
           kVersion);
    if (state.at("settings") != identity.settings)
      refuse_other_settings(state.at("settings"), identity.settings);
    if (state.at("data_xxh3_128") != identity.data_digest)
      fail(ErrorKind::config,
           "--resume: --data holds other training or validation images, or other labels, than "
           "when the run was started; expected the same data");
    s.step = state.at("step");
    s.batches_tracked = state.at("batches_tracked");
    s.tally.loss = state.at("epoch_loss");
    s.tally.correct = state.at("epoch_correct");
    s.tally.seen = state.at("epoch_seen");
    for (const Json& name : state.at("arrays")) s.arrays.push_back({name, get_array(c, name)});
    // Checkpoints from before there was a monitor have none of it.
    if (state.contains("overfitting")) run.overfitting = overfitting_from(state["overfitting"], c);
  } catch (const nlohmann::json::exception& e) {
    fail(ErrorKind::bad_data, "checkpoint: its state is not that of a training run: ", e.what());
  }
  return run;
}

}  // namespace inocula
