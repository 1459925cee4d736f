// Which settings a checkpoint belongs to: those that a result depends on, and no others.
#include "tools/training_checkpoint.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "tests/engine/harness.h"
#include "tools/train_options.h"

namespace inocula::test {

namespace {

/// What PGD training's defaults come to, as written since before runs could be watched for overfitting.
constexpr const char* kPgdSettings = R"(model = "small_cnn"
method = "pgd"
precision = "fp32"
norm = "linf"
eps = "8/255"
alpha = "2/255"
steps = 7
random_start = true
attack_bn = "eval"
epochs = 10
batch = 64
optimizer = "adam"
lr = 0.001
weight_decay = 0
schedule = "cosine"
warmup = 0
flip = false
shift = 0
seed = 0
device = "cpu"
threads = 2
determinism = "reproducible"
precise = false
)";

TrainOptions pgd_options() {
  TrainOptions o;
  o.method.method = "pgd";
  return o;
}

RunIdentity identity_of(const TrainOptions& o) {
  return {o.resolved_settings("small_cnn", 2), "digest"};
}

RunState some_state() {
  RunState s;
  s.trainer.step = 5;
  s.trainer.arrays = {{"weights", {1, 2, 3}}};
  return s;
}

}  // namespace

TEST_CASE(
    "checkpoint: one from before there was a monitor is taken, and its run may be watched from then on") {
  Checkpoint old = to_checkpoint(some_state(), {kPgdSettings, "digest"});
  nlohmann::ordered_json state = nlohmann::ordered_json::parse(old.state_json);
  REQUIRE(state.erase("overfitting") == 1);
  old.state_json = state.dump();
  for (const char* watched : {"", "true", "false"}) {
    CAPTURE(watched);
    TrainOptions o = pgd_options();
    o.monitor_overfitting = watched;
    const RunState s = from_checkpoint(old, identity_of(o));
    CHECK(s.trainer.step == 5);
    REQUIRE(s.trainer.arrays.size() == 1);
    CHECK(s.trainer.arrays[0].values == std::vector<float>{1, 2, 3});
    CHECK(!s.overfitting.accuracy);
    CHECK(!s.overfitting.stopped);
  }
}

TEST_CASE("checkpoint: a run that may be ended is another than one that may not") {
  TrainOptions stopping = pgd_options();
  stopping.stop_on_overfitting = "true";
  const RunIdentity may_end = identity_of(stopping), may_not = identity_of(pgd_options());
  check_throws(ErrorKind::config, "now it is 'stop_on_overfitting = true'",
               [&] { from_checkpoint(to_checkpoint(some_state(), may_not), may_end); });
  check_throws(ErrorKind::config, "started with 'stop_on_overfitting = true'",
               [&] { from_checkpoint(to_checkpoint(some_state(), may_end), may_not); });
  stopping.monitor_overfitting = "true";  // as it was without a word
  CHECK(from_checkpoint(to_checkpoint(some_state(), may_end), identity_of(stopping)).trainer.step == 5);
}

TEST_CASE("checkpoint: config.toml says whether a run is watched, and each key once") {
  for (const char* stop : {"", "false", "true"})
    for (const char* watch : {"", "false", "true"}) {
      if (std::string(stop) == "true" && std::string(watch) == "false") continue;  // refused
      CAPTURE(stop);
      CAPTURE(watch);
      TrainOptions o = pgd_options();
      o.stop_on_overfitting = stop;
      o.monitor_overfitting = watch;
      const std::string text = "\n" + o.resolved_toml(identity_of(o).settings);
      const bool stops = std::string(stop) == "true", watches = stops || std::string(watch) == "true";
      for (const auto& [key, value] :
           {std::pair{"monitor_overfitting", watches}, std::pair{"stop_on_overfitting", stops}}) {
        const std::string line = std::string("\n") + key + " = " + (value ? "true" : "false") + "\n";
        CHECK(text.find(line) != std::string::npos);
        CHECK(text.find(key) == text.rfind(key));
      }
    }
}

}  // namespace inocula::test
