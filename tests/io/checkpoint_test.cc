// Checkpoints survive everything: death at any moment, damage anywhere, a full disk.
#include "io/checkpoint.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "io/atomic_file.h"
#include "tests/io/files.h"

namespace inocula {
namespace {

constexpr std::size_t kTensorBytes = 4000;

/// A checkpoint whose whole content follows from its step.
Checkpoint make(std::uint64_t step) {
  Checkpoint checkpoint;
  Array& array = checkpoint.tensors["w"] = make_array(ElementType::u8, {kTensorBytes}, "test");
  for (std::size_t i = 0; i < kTensorBytes; ++i) array.bytes[i] = static_cast<std::uint8_t>(step * 31 + i);
  checkpoint.state_json = "{\"epoch\": " + std::to_string(step) + "}\n\"\xC3\xA4\"";
  checkpoint.step = step;
  return checkpoint;
}

bool right(const Checkpoint& checkpoint) {
  const Checkpoint expected = make(checkpoint.step);
  return checkpoint.state_json == expected.state_json && checkpoint.tensors.size() == 1 &&
         checkpoint.tensors.at("w").bytes == expected.tensors.at("w").bytes;
}

/// The step of what a new store finds; it has to be right, and the one that is told without a store.
std::optional<std::uint64_t> latest(const std::string& folder, std::string* warning) {
  const std::optional<std::uint64_t> told = newest_checkpoint_step(folder);
  const auto checkpoint = CheckpointStore(folder).load_latest(warning);
  CHECK(told == (checkpoint ? std::optional(checkpoint->step) : std::nullopt));
  if (!checkpoint) return std::nullopt;
  CHECK(right(*checkpoint));
  return checkpoint->step;
}

void flip(const std::string& path, std::size_t bit) {
  std::string bytes = get_file(path);
  bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
  put_file(path, bytes);
}

TEST_CASE("checkpoint: the last two are kept, the newest is loaded, also by another process") {
  const TempFolder folder;
  const std::string path = folder / "run/checkpoint";
  std::string warning = "left over";
  CHECK_FALSE(newest_checkpoint_step(path).has_value());
  CHECK_FALSE(std::filesystem::exists(path));
  CheckpointStore store(path);
  CHECK_FALSE(store.load_latest(&warning).has_value());
  CHECK(warning.empty());
  for (std::uint64_t step = 10; step < 15; ++step) {
    store.save(make(step));
    CHECK(latest(path, &warning) == step);
    CHECK(warning.empty());
  }
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(path))
    names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  CHECK(names == std::vector<std::string>{"checkpoint-000004.json", "checkpoint-000004.safetensors",
                                          "checkpoint-000005.json", "checkpoint-000005.safetensors"});
}

TEST_CASE("checkpoint: any bit turned in any file is noticed, and the previous one is loaded") {
  const TempFolder folder;
  CheckpointStore store(folder.path());
  store.save(make(1));
  store.save(make(2));
  std::size_t undetected = 0;
  for (const std::string name : {"checkpoint-000002.json", "checkpoint-000002.safetensors"}) {
    const std::string path = folder / name, whole = get_file(path);
    for (std::uint32_t i = 0; i < 2500; ++i) {
      const std::size_t bit = pick(2, i, static_cast<std::uint32_t>(8 * whole.size()));
      flip(path, bit);
      std::string warning;
      const auto checkpoint = store.load_latest(&warning);
      REQUIRE(checkpoint.has_value());
      REQUIRE(right(*checkpoint));
      if (checkpoint->step == 2) ++undetected;  // it has to be a blank: the content is right all the same
      if (checkpoint->step == 1) CHECK(warning.find(name) != std::string::npos);
      put_file(path, whole);
    }
    if (name.ends_with(".safetensors")) CHECK(undetected == 0);
    undetected = 0;
  }
}

TEST_CASE("checkpoint: a file cut short anywhere or missing gives the previous one and a warning") {
  const TempFolder folder;
  CheckpointStore store(folder.path());
  store.save(make(1));
  store.save(make(2));
  std::string warning;
  for (const std::string name : {"checkpoint-000002.json", "checkpoint-000002.safetensors"}) {
    const std::string path = folder / name, whole = get_file(path);
    const std::size_t blank_end = name.ends_with(".json") ? 1 : 0;  // the manifest's last byte is a line end
    for (std::size_t size = 0; size + blank_end < whole.size(); ++size) {
      put_file(path, whole.substr(0, size));
      const auto checkpoint = store.load_latest(&warning);
      REQUIRE(checkpoint.has_value());
      CHECK(checkpoint->step == 1);
      CHECK(warning.starts_with("checkpoint passed over: "));
    }
    put_file(path, whole);
  }
  std::filesystem::remove(folder / "checkpoint-000002.safetensors");
  CHECK(latest(folder.path(), &warning) == 1);
  flip(folder / "checkpoint-000001.safetensors", 99);
  CHECK_FALSE(latest(folder.path(), &warning).has_value());
  CHECK(warning.find('\n') != std::string::npos);  // one line for each
}

TEST_CASE("checkpoint: the one that was loaded outlives damaged newer ones") {
  const TempFolder folder;
  CheckpointStore(folder.path()).save(make(1));
  CheckpointStore(folder.path()).save(make(2));
  flip(folder / "checkpoint-000002.safetensors", 1000);
  std::string warning;
  {
    CheckpointStore store(folder.path());
    CHECK(store.load_latest(&warning)->step == 1);
    store.save(make(5));
  }
  CHECK(latest(folder.path(), &warning) == 5);
  flip(folder / "checkpoint-000003.json", 200);
  CHECK(latest(folder.path(), &warning) == 1);
}

TEST_CASE("checkpoint: what an interrupted save left is removed, other files are not") {
  const TempFolder folder;
  CheckpointStore(folder.path()).save(make(1));
  for (const char* name :
       {"checkpoint-000002.safetensors", "checkpoint-000002.safetensors.tmp.99.0",
        "checkpoint-000002.json.tmp.99.1", "notes.txt", "other.tmp.1.2", "checkpoint-x.json"}) {
    put_file(folder / name, "half");
  }
  std::string warning;
  CHECK(latest(folder.path(), &warning) == 1);
  CHECK(warning.empty());
  CHECK(folder.names() == std::vector<std::string>{"checkpoint-000001.json", "checkpoint-000001.safetensors",
                                                   "checkpoint-x.json", "notes.txt", "other.tmp.1.2"});
  remove_checkpoints(folder.path());
  CHECK(folder.names() == std::vector<std::string>{"checkpoint-x.json", "notes.txt", "other.tmp.1.2"});
}

TEST_CASE("checkpoint: a full disk at any point of a save keeps the previous one") {
  const TempFolder folder;
  CheckpointStore store(folder.path());
  store.save(make(1));
  const auto before = folder.names();
  Checkpoint large = make(2);
  large.state_json = std::string(3 * kTensorBytes, ' ');  // so that the manifest can be what does not fit
  for (const std::uint64_t bytes : {0, 100, 2000, 4000, 6000, 12000}) {
    const FullDisk full(bytes);
    CHECK_FAILS(ErrorKind::io, "writing failed", store.save(large));
    CHECK(folder.names() == before);
  }
  std::string warning;
  CHECK(latest(folder.path(), &warning) == 1);
  CHECK(warning.empty());
  store.save(make(3));
  CHECK(latest(folder.path(), &warning) == 3);
}

TEST_CASE(
    "checkpoint: a process killed at any time leaves a whole one and nothing else after the next start") {
  const TempFolder folder;
  CheckpointStore(folder.path()).save(make(1));
  std::uint64_t last = 1;
  for (std::uint32_t round = 0; round < 30; ++round) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      CheckpointStore store(folder.path());
      std::string warning;
      std::uint64_t step = store.load_latest(&warning)->step;
      while (true) store.save(make(++step));
    }
    ::usleep(500 + pick(3, round, 20000));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    std::string warning;
    const auto step = latest(folder.path(), &warning);
    REQUIRE(step.has_value());
    CHECK(warning.empty());
    CHECK(*step >= last);
    last = *step;
    for (const std::string& name : folder.names()) CHECK_FALSE(is_temporary_name(name));
  }
  CHECK(last > 1);
  CheckpointStore(folder.path()).save(make(last + 1));
  CHECK(folder.names().size() == 4);
}

TEST_CASE("checkpoint: what cannot be saved is told") {
  const TempFolder folder;
  put_file(folder / "file", "");
  CHECK_FAILS(ErrorKind::cannot_create, "file", CheckpointStore(folder / "file"));
  CheckpointStore store(folder / "store");
  Checkpoint checkpoint = make(1);
  checkpoint.state_json = "\xff";
  CHECK_FAILS(ErrorKind::internal, "UTF-8", store.save(checkpoint));
  checkpoint.state_json = std::string(5 << 20, ' ');
  CHECK_FAILS(ErrorKind::internal, "expected at most 4194304", store.save(checkpoint));
  checkpoint.state_json = std::string(256 << 10, '\1');  // six characters each in JSON
  store.save(checkpoint);
  std::string warning;
  CHECK(store.load_latest(&warning)->state_json == checkpoint.state_json);
}

}  // namespace
}  // namespace inocula
