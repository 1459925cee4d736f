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

Checkpoint to_checkpoint(const TrainerState& s, const RunIdentity& identity) {
  Checkpoint c;
  Json order = Json::array();
  for (const TrainerState::Array& a : s.arrays) {
    Array array{ElementType::f32, {static_cast<std::int64_t>(a.values.size())}, {}};
    array.bytes.resize(a.values.size() * sizeof(float));
    std::memcpy(array.bytes.data(), a.values.data(), array.bytes.size());
    c.tensors.emplace(a.name, std::move(array));
    order.push_back(a.name);
  }
  const Json state{{"version", kVersion},
                   {"step", s.step},
                   {"batches_tracked", s.batches_tracked},
                   {"epoch_loss", s.tally.loss},
                   {"epoch_correct", s.tally.correct},
                   {"epoch_seen", s.tally.seen},
                   {"arrays", order},
                   {"settings", identity.settings},
                   {"data_xxh3_128", identity.data_digest}};
  c.state_json = state.dump();
  c.step = static_cast<std::uint64_t>(s.step);
  return c;
}

TrainerState from_checkpoint(const Checkpoint& c, const RunIdentity& identity) {
  TrainerState s;
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
    for (const Json& name : state.at("arrays")) {
      const auto found = c.tensors.find(name.get<std::string>());
      if (found == c.tensors.end())
        fail(ErrorKind::bad_data, "checkpoint: array ", name.dump(), " is missing");
      const auto values = values_of<float>(found->second, "checkpoint: array " + name.dump());
      s.arrays.push_back({name, {values.begin(), values.end()}});
    }
  } catch (const nlohmann::json::exception& e) {
    fail(ErrorKind::bad_data, "checkpoint: its state is not that of a training run: ", e.what());
  }
  return s;
}

}  // namespace inocula
