// Run folders and model cards.
#include "io/run_folder.h"

#include <filesystem>

#include "io/atomic_file.h"
#include "io/checkpoint.h"
#include "io/model_card.h"
#include "tests/io/files.h"

namespace inocula {
namespace {

TEST_CASE("run folder: a run is never overwritten unasked, and only a run is overwritten") {
  const TempFolder folder;
  const std::string path = folder / "runs/a";
  {
    RunFolder run(path, RunMode::fresh);
    run.append_log("hello");
    run.append_metrics("{\"epoch\": 0}");
    write_file(run.config_toml(), "x = 1\n");
    write_file(run.model_safetensors(), "weights");
    CheckpointStore(run.checkpoint()).save({{}, "{}", 3});
    run.keep();
  }
  put_file(path + "/notes.txt", "mine");
  put_file(path + "/checkpoint/notes.txt", "mine");
  put_file(path + "/model.json.tmp.12.0", "half");
  put_file(path + "/other.json.tmp.12.0", "mine");
  CHECK_FAILS(ErrorKind::cannot_create, "already holds a run (config.toml)", RunFolder(path, RunMode::fresh));
  CHECK(get_file(path + "/log.txt") == "hello\n");
  {
    RunFolder run(path, RunMode::resume);
    run.append_log("again");
    CHECK(get_file(run.log_txt()) == "hello\nagain\n");
    CHECK_FALSE(std::filesystem::exists(path + "/model.json.tmp.12.0"));
  }
  CHECK(get_file(path + "/log.txt") == "hello\nagain\n");
  {
    const RunFolder run(path, RunMode::overwrite);
    CHECK(get_file(run.log_txt()).empty());
    CHECK_FALSE(std::filesystem::exists(run.config_toml()));
    CHECK_FALSE(std::filesystem::exists(run.model_safetensors()));
  }
  CHECK(get_file(path + "/notes.txt") == "mine");
  CHECK(get_file(path + "/checkpoint/notes.txt") == "mine");
  CHECK(get_file(path + "/other.json.tmp.12.0") == "mine");
  CHECK(std::distance(std::filesystem::directory_iterator(path + "/checkpoint"), {}) == 1);
}

TEST_CASE("run folder: resume and overwrite start anew where nothing is, and odd places are refused") {
  const TempFolder folder;
  RunFolder(folder / "a", RunMode::resume);
  RunFolder(folder / "b", RunMode::overwrite);
  put_file(folder / "file", "");
  CHECK_FAILS(ErrorKind::cannot_create, "file: the folder cannot be created",
              RunFolder(folder / "file", RunMode::fresh));
  std::filesystem::create_directories(folder / "c/model.json/inside");
  CHECK_FAILS(ErrorKind::cannot_create, "model.json: is a folder",
              RunFolder(folder / "c", RunMode::overwrite));
  CHECK(std::filesystem::exists(folder / "c/model.json/inside"));
}

TEST_CASE("run folder: a start that comes to nothing leaves what was there, and nothing else") {
  const TempFolder folder;
  const auto start = [](const std::string& path, RunMode mode) {
    RunFolder run(path, mode);
    run.append_log("started");
    write_file(run.config_toml(), "x = 1\n");
    CheckpointStore{run.checkpoint()};
  };
  for (const RunMode mode : {RunMode::fresh, RunMode::overwrite, RunMode::resume}) {
    start(folder / "runs/a", mode);
    CHECK(folder.names().empty());
  }
  std::filesystem::create_directories(folder / "b/checkpoint");
  put_file(folder / "b/notes.txt", "mine");
  put_file(folder / "b/log.txt", "earlier\n");
  start(folder / "b", RunMode::resume);
  CHECK(get_file(folder / "b/log.txt") == "earlier\nstarted\n");
  CHECK(get_file(folder / "b/notes.txt") == "mine");
  CHECK(std::filesystem::is_directory(folder / "b/checkpoint"));
  CHECK_FALSE(std::filesystem::exists(folder / "b/config.toml"));
  CHECK_FALSE(std::filesystem::exists(folder / "b/metrics.jsonl"));
  // A refusal too must not clear away the run that it is about.
  CHECK_FAILS(ErrorKind::cannot_create, "already holds a run", RunFolder(folder / "b", RunMode::fresh));
  CHECK(get_file(folder / "b/log.txt") == "earlier\nstarted\n");
  // Nor one that ends in the middle of its constructor.
  std::filesystem::create_directories(folder / "c/log.txt");
  CHECK_FAILS(ErrorKind::cannot_create, "log.txt: cannot be opened",
              RunFolder(folder / "c", RunMode::resume));
  CHECK(std::distance(std::filesystem::directory_iterator(folder / "c"), {}) == 1);
}

TEST_CASE("run folder: one process at a time, and a dead one locks nothing") {
  const TempFolder folder;
  {
    RunFolder first(folder / "a", RunMode::fresh);
    first.keep();
    for (const RunMode mode : {RunMode::fresh, RunMode::overwrite, RunMode::resume})
      CHECK_FAILS(ErrorKind::cannot_create, "a: is in use by another process", RunFolder(folder / "a", mode));
    first.append_log("unharmed");
    CHECK(get_file(first.log_txt()) == "unharmed\n");
  }
  CHECK_FALSE(std::filesystem::exists(folder / "a/lock"));
  put_file(folder / "a/lock", "");  // as after kill -9
  RunFolder(folder / "a", RunMode::resume);
}

TEST_CASE("run folder: metrics are cut back to the epoch of a checkpoint") {
  const TempFolder folder;
  RunFolder run(folder / "a", RunMode::fresh);
  for (int epoch = 1; epoch <= 4; ++epoch)
    run.append_metrics("{\"epoch\":" + std::to_string(epoch) + ",\"loss\":0.5}");
  const std::string whole = get_file(run.metrics_jsonl());
  put_file(run.metrics_jsonl(), whole + "{\"epoch\":5,\"lo");
  run.truncate_metrics(4);
  CHECK(get_file(run.metrics_jsonl()) == whole.substr(0, whole.rfind("{\"epoch\":4")));
  run.append_metrics("{\"epoch\":4}");
  CHECK(get_file(run.metrics_jsonl()).ends_with("{\"epoch\":3,\"loss\":0.5}\n{\"epoch\":4}\n"));
  put_file(run.metrics_jsonl(), "{\"epoch\":1}\nnonsense\n{\"epoch\":2}\n");
  CHECK_FAILS(ErrorKind::bad_data, "metrics.jsonl: line 2: malformed JSON", run.truncate_metrics(2));
  put_file(run.metrics_jsonl(), "{\"epoch\":1}\n{\"loss\":2}\n{\"epoch\":2}\n");
  CHECK_FAILS(ErrorKind::bad_data, "line 2: key 'epoch' is missing", run.truncate_metrics(2));
}

const ModelCard kCard{.spec = "resnet18:width=16",
                      .classes = 9,
                      .task = Task::ordinal,
                      .channels = 3,
                      .height = 28,
                      .width = 32,
                      .mean = {0.1f, 0.2f, 0.3f},
                      .deviation = {0.4f, 0.5f, 0.6f},
                      .method = "pgd",
                      .seed = UINT64_MAX,
                      .config_hash = "00ff"};

TEST_CASE("model card: what is written is read back to the bit") {
  const TempFolder folder;
  write_model_card(folder / "model.json", kCard);
  CHECK(read_model_card(folder / "model.json") == kCard);
}

TEST_CASE("model card: a key that is missing, unknown or out of range is named") {
  const TempFolder folder;
  const std::string path = folder / "model.json";
  write_model_card(path, kCard);
  const std::string whole = get_file(path);
  const auto refused = [&](const std::string& from, const std::string& to, const std::string& part) {
    std::string text = whole;
    REQUIRE(text.find(from) != std::string::npos);
    text.replace(text.find(from), from.size(), to);
    put_file(path, text);
    CHECK_FAILS(ErrorKind::bad_data, part, read_model_card(path));
    CHECK_FAILS(ErrorKind::bad_data, "model.json: ", read_model_card(path));
  };
  for (const std::string key : {"version", "model", "classes", "task", "channels", "height", "width", "mean",
                                "std", "method", "seed", "config_hash"}) {
    const std::size_t begin = whole.find("\"" + key + "\":");
    REQUIRE(begin != std::string::npos);
    const std::string entry = whole.substr(begin, key.size() + 3);
    refused(entry, "\"odd\":", "'odd' is unknown, expected only version, model, classes");
    refused(entry, entry + " null, \"unused\":", "key '");  // null makes it of another type
  }
  refused("\"version\": 1", "\"version\": 2", "'version' is 2, expected 1");
  refused("\"seed\"", "\"more\": 1, \"seed\"", "'more' is unknown");
  refused("\"seed\"", "\"classes\": 9, \"seed\"", "'classes' appears twice");
  refused("\"classes\": 9", "\"classes\": 0", "'classes' is 0, expected 2 to 65536");
  refused("\"classes\": 9", "\"classes\": 1", "'classes' is 1, expected 2 to 65536");
  refused("\"classes\": 9", "\"classes\": 9.5", "'classes' is not a whole number");
  refused("\"classes\": 9", "\"classes\": 18446744073709551615", "'classes' is not a whole number");
  refused("\"ordinal\"", "\"grades\"", "'task' is 'grades', expected multi-class, ordinal or multi-label");
  refused("\"channels\": 3", "\"channels\": 1", "'mean' has 3 numbers");
  refused("0.4000000059604645", "0.0", "'std' holds 0");
  refused("0.4000000059604645", "\"a\"", "'std' is not a list of numbers");
  refused("\"mean\"", "\"height\"", "'height' appears twice");
  refused("18446744073709551615", "-1", "'seed' is not a whole number");
  refused("18446744073709551615", "18446744073709551616", "'seed' is not a whole number");
  put_file(path, "[]");
  CHECK_FAILS(ErrorKind::bad_data, "not an object", read_model_card(path));
  put_file(path, std::string(2 << 20, ' '));
  CHECK_FAILS(ErrorKind::bad_data, "at most 1048576", read_model_card(path));
  for (std::size_t size = 0; size < whole.rfind('}'); ++size) {
    put_file(path, whole.substr(0, size));
    CHECK_FAILS(ErrorKind::bad_data, "malformed JSON", read_model_card(path));
  }
}

TEST_CASE("model card: what builds the network is enough, and each part of it is needed") {
  const TempFolder folder;
  const std::string path = folder / "model.json";
  const std::string whole =
      R"({"model": "resnet18", "classes": 9, "channels": 3, "height": 28, "width": 32})";
  put_file(path, whole);
  const ModelCard card = read_model_card(path);
  CHECK(card.spec == "resnet18");
  CHECK(card.classes == 9);
  CHECK(card.task == Task::multi_class);
  CHECK(card.width == 32);
  CHECK(card.mean == std::vector<float>{0.5f, 0.5f, 0.5f});
  CHECK(card.deviation == card.mean);
  CHECK(card.method == "unknown");
  CHECK(card.seed == 0);
  for (const std::string key : {"model", "classes", "channels", "height", "width"}) {
    std::string text = whole;
    text.replace(text.find("\"" + key + "\""), key.size() + 2, "\"seed\"");
    put_file(path, text);
    CHECK_FAILS(ErrorKind::bad_data, "'" + key + "' is missing", read_model_card(path));
  }
}

TEST_CASE("model files: found from the run folder and from the weights") {
  const TempFolder folder;
  CHECK_FAILS(ErrorKind::no_input, "model.safetensors: is missing", find_model(folder.path()));
  put_file(folder / "model.safetensors", "");
  CHECK_FAILS(ErrorKind::no_input, "model.json: is missing", find_model(folder.path()));
  write_model_card(folder / "model.json", kCard);
  CHECK_FAILS(ErrorKind::bad_data, "model.json: expected a run folder or a .safetensors file",
              find_model(folder / "model.json"));
  put_file(folder / "best.safetensors", "");
  CHECK(find_model(folder.path()).weights == folder / "model.safetensors");
  CHECK(find_model(folder / "best.safetensors").weights == folder / "best.safetensors");
  CHECK(find_model(folder / "best.safetensors").card == folder / "model.json");
}

}  // namespace
}  // namespace inocula
