// The checkpoint protocol: tensors, then the manifest that makes them count, then the oldest goes.
#include "io/checkpoint.h"

#include <filesystem>
#include <set>
#include <string_view>
#include <system_error>
#include <vector>

#include "io/atomic_file.h"
#include "io/digest.h"
#include "io/input_file.h"
#include "io/safetensors.h"
#include "io/strict_json.h"

namespace inocula {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::uint64_t kMaxStateBytes = 4 << 20;
constexpr std::uint64_t kMaxManifestBytes =
    6 * kMaxStateBytes + 4096;  // JSON escapes take up to six characters
constexpr std::uint64_t kVersion = 1;
constexpr std::string_view kPrefix = "checkpoint-", kTensors = ".safetensors", kManifest = ".json";

std::string file_name(std::uint64_t number, std::string_view suffix) {
  const std::string digits = std::to_string(number);
  return std::string(kPrefix)
      .append(digits.size() < 6 ? 6 - digits.size() : 0, '0')
      .append(digits)
      .append(suffix);
}

/// The number in a file name of ours, or none.
std::optional<std::uint64_t> number_of(const std::string& name, std::string_view suffix) {
  constexpr std::size_t kMaxDigits = 18;
  if (!name.starts_with(kPrefix) || !name.ends_with(suffix)) return std::nullopt;
  if (name.size() <= kPrefix.size() + suffix.size()) return std::nullopt;
  const std::string digits = name.substr(kPrefix.size(), name.size() - kPrefix.size() - suffix.size());
  if (digits.size() > kMaxDigits || digits.find_first_not_of("0123456789") != std::string::npos)
    return std::nullopt;
  const std::uint64_t number = std::stoull(digits);
  return file_name(number, suffix) == name ? std::optional(number) : std::nullopt;
}

struct Listing {
  std::set<std::uint64_t> manifests, tensors;
  std::vector<fs::path> temporaries;
};

Listing list_store(const std::string& folder) {
  Listing listing;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (const auto number = number_of(name, kManifest)) listing.manifests.insert(*number);
    if (const auto number = number_of(name, kTensors)) listing.tensors.insert(*number);
    if (name.starts_with(kPrefix) && is_temporary_name(name)) listing.temporaries.push_back(it->path());
  }
  if (error) fail(ErrorKind::cannot_create, folder, ": the folder cannot be listed: ", error.message());
  return listing;
}

/// The manifest goes first: without it the tensors no longer count.
void remove_number(const std::string& folder, std::uint64_t number) {
  std::error_code ignored;  // what cannot be removed only takes room
  fs::remove(fs::path(folder) / file_name(number, kManifest), ignored);
  fs::remove(fs::path(folder) / file_name(number, kTensors), ignored);
}

/// The manifest's own checksum is that of its text without the key.
std::string seal(const json& manifest, const std::string& path) {
  return xxh3_128(json_text(manifest, path));
}

Checkpoint load_number(const std::string& folder, std::uint64_t number) {
  const std::string path = (fs::path(folder) / file_name(number, kManifest)).string();
  const std::string tensors = (fs::path(folder) / file_name(number, kTensors)).string();
  json manifest = parse_strict_json(read_text_file(path, kMaxManifestBytes), path);
  const std::string sealed = json_value<std::string>(manifest, "xxh3_128", path);
  manifest.erase("xxh3_128");
  if (seal(manifest, path) != sealed) fail(ErrorKind::bad_data, path, ": its checksum disagrees");
  if (const auto version = json_value<std::uint64_t>(manifest, "version", path); version != kVersion) {
    fail(ErrorKind::bad_data, path, ": key 'version' is ", version, ", expected ", kVersion);
  }
  if (json_value<std::uint64_t>(manifest, "number", path) != number) {
    fail(ErrorKind::bad_data, path, ": belongs to another checkpoint");
  }
  if (xxh3_128_of_file(tensors) != json_value<std::string>(manifest, "tensors_xxh3_128", path)) {
    fail(ErrorKind::bad_data, tensors, ": its checksum disagrees with ", path);
  }
  return {read_safetensors(tensors).tensors, json_value<std::string>(manifest, "state", path),
          json_value<std::uint64_t>(manifest, "step", path)};
}

}  // namespace

CheckpointStore::CheckpointStore(const std::string& folder) : folder_(folder) {
  create_folder(folder);
  const Listing listing = list_store(folder);
  std::error_code ignored;
  for (const fs::path& temporary : listing.temporaries) fs::remove(temporary, ignored);
  for (const std::uint64_t number : listing.tensors) {
    if (!listing.manifests.contains(number)) remove_number(folder, number);
  }
  if (!listing.manifests.empty()) newest_ = *listing.manifests.rbegin();
}

void CheckpointStore::save(const Checkpoint& checkpoint) {
  if (checkpoint.state_json.size() > kMaxStateBytes) {
    fail(ErrorKind::internal, folder_, ": a checkpoint's state is ", checkpoint.state_json.size(),
         " bytes long, expected at most ", kMaxStateBytes);
  }
  constexpr std::uint64_t kHeaderBytes = 512;  // a generous share for one tensor's name, shape and offsets
  std::uint64_t bytes = 2 * checkpoint.state_json.size() + (64 << 10);
  for (const auto& [name, array] : checkpoint.tensors)
    bytes += array.bytes.size() + name.size() + kHeaderBytes;
  require_free_space(folder_, bytes);

  const std::uint64_t number = newest_ + 1;
  const std::string path = (fs::path(folder_) / file_name(number, kManifest)).string();
  const std::string tensors = (fs::path(folder_) / file_name(number, kTensors)).string();
  try {
    write_safetensors(tensors, views_of(checkpoint.tensors));
    json manifest = {{"version", kVersion},
                     {"number", number},
                     {"step", checkpoint.step},
                     {"state", checkpoint.state_json},
                     {"tensors_xxh3_128", xxh3_128_of_file(tensors)}};
    manifest["xxh3_128"] = seal(manifest, path);
    write_file(path, json_text(manifest, path, 1) + "\n");
  } catch (...) {
    remove_number(folder_, number);
    throw;
  }
  const std::set<std::uint64_t> manifests = list_store(folder_).manifests;
  // A damaged newer one may lie between: the one to fall back on is the one that is known to be good.
  const std::uint64_t fallback = known_good_.value_or(newest_);
  for (const std::uint64_t old : manifests) {
    if (old != number && old != fallback) remove_number(folder_, old);
  }
  newest_ = number;
  known_good_ = number;
}

std::optional<Checkpoint> CheckpointStore::load_latest(std::string* warning) {
  warning->clear();
  const std::set<std::uint64_t> manifests = list_store(folder_).manifests;
  for (auto number = manifests.rbegin(); number != manifests.rend(); ++number) {
    try {
      Checkpoint checkpoint = load_number(folder_, *number);
      known_good_ = *number;
      return checkpoint;
    } catch (const Error& error) {
      *warning += (warning->empty() ? "" : "\n") + std::string("checkpoint passed over: ") + error.what();
    }
  }
  return std::nullopt;
}

std::optional<std::uint64_t> newest_checkpoint_step(const std::string& folder) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) return std::nullopt;
  const std::set<std::uint64_t> manifests = list_store(folder).manifests;
  for (auto number = manifests.rbegin(); number != manifests.rend(); ++number) {
    try {
      return load_number(folder, *number).step;
    } catch (const Error&) {  // resuming passes it over as well, and says why
    }
  }
  return std::nullopt;
}

void remove_checkpoints(const std::string& folder) {
  std::error_code ignored;
  if (!fs::is_directory(fs::symlink_status(folder, ignored))) return;
  const Listing listing = list_store(folder);
  for (const fs::path& temporary : listing.temporaries) fs::remove(temporary, ignored);
  for (const std::uint64_t number : listing.manifests) remove_number(folder, number);
  for (const std::uint64_t number : listing.tensors) remove_number(folder, number);
  fs::remove(folder, ignored);  // only if empty
}

}  // namespace inocula
