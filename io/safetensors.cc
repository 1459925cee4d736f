// Reader and writer of safetensors.
#include "io/safetensors.h"

#include <algorithm>
#include <tuple>

#include "io/atomic_file.h"
#include "io/input_file.h"
#include "io/strict_json.h"

namespace inocula {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxTensorHeaderBytes = 8 << 20;
constexpr std::size_t kMaxTensors = 65536;
constexpr std::size_t kMaxMetadataBytes = 64 << 10;
constexpr const char* kMetadata = "__metadata__";
constexpr const char* kTypeNames[] = {"BOOL", "U8",  "I8",  "U16",  "I16", "U32", "I32",
                                      "U64",  "I64", "F16", "BF16", "F32", "F64"};

struct Entry {
  std::string name;
  ElementType type = ElementType::u8;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0, end = 0;  // after the header
};

ElementType parse_type(const std::string& text, const std::string& where) {
  const auto* found = std::find(std::begin(kTypeNames), std::end(kTypeNames), text);
  if (found == std::end(kTypeNames)) {
    fail(ErrorKind::bad_data, where,
         ": key 'dtype' is not one of BOOL, U8 to U64, I8 to I64, F16, BF16, F32, F64");
  }
  return static_cast<ElementType>(found - std::begin(kTypeNames));
}

/// A list of whole numbers from 0 up.
std::vector<std::uint64_t> parse_numbers(const json& object, const char* key, const std::string& where) {
  const auto found = object.find(key);
  bool numbers = found != object.end() && found->is_array();
  for (std::size_t i = 0; numbers && i < found->size(); ++i) numbers = (*found)[i].is_number_unsigned();
  if (!numbers) fail(ErrorKind::bad_data, where, ": key '", key, "' is not a list of whole numbers");
  return found->get<std::vector<std::uint64_t>>();
}

Entry parse_entry(const std::string& name, const json& object, const std::string& where) {
  if (!object.is_object() || object.size() != 3) {
    fail(ErrorKind::bad_data, where, ": is not described by exactly dtype, shape and data_offsets");
  }
  Entry entry;
  entry.name = name;
  entry.type = parse_type(json_value<std::string>(object, "dtype", where), where);
  for (const std::uint64_t extent : parse_numbers(object, "shape", where)) {
    // What does not fit an int64 becomes negative, which array_bytes refuses.
    entry.shape.push_back(static_cast<std::int64_t>(extent));
  }
  const std::vector<std::uint64_t> offsets = parse_numbers(object, "data_offsets", where);
  if (offsets.size() != 2) fail(ErrorKind::bad_data, where, ": key 'data_offsets' has not two numbers");
  entry.begin = offsets[0];
  entry.end = offsets[1];
  const std::uint64_t bytes = array_bytes(entry.type, entry.shape, where);
  if (entry.end < entry.begin || entry.end - entry.begin != bytes) {
    fail(ErrorKind::bad_data, where, ": occupies bytes ", entry.begin, " to ", entry.end, ", expected ",
         bytes, " bytes for shape ", shape_text(entry.shape), " of ", element_name(entry.type));
  }
  return entry;
}

std::map<std::string, std::string> parse_metadata(const json& object, const std::string& path) {
  std::map<std::string, std::string> metadata;
  std::size_t bytes = 0;
  if (!object.is_object()) fail(ErrorKind::bad_data, path, ": ", kMetadata, " is not an object");
  for (const auto& [key, value] : object.items()) {
    if (!value.is_string())
      fail(ErrorKind::bad_data, path, ": ", kMetadata, " key '", key, "' is not a text");
    bytes += key.size() + value.get_ref<const std::string&>().size();
    metadata.emplace(key, value);
  }
  if (bytes > kMaxMetadataBytes) {
    fail(ErrorKind::bad_data, path, ": ", kMetadata, " is ", bytes, " bytes long, expected at most ",
         kMaxMetadataBytes);
  }
  return metadata;
}

/// In the order of the file; together they are exactly its `data_bytes` after the header.
std::vector<Entry> parse_entries(const json& header, std::uint64_t data_bytes, const std::string& path) {
  if (header.size() > kMaxTensors) {
    fail(ErrorKind::bad_data, path, ": has ", header.size(), " tensors, expected at most ", kMaxTensors);
  }
  std::vector<Entry> entries;
  for (const auto& [name, object] : header.items()) {
    if (name != kMetadata) entries.push_back(parse_entry(name, object, path + ": " + name));
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
  });
  std::uint64_t end = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != end) {
      fail(ErrorKind::bad_data, path, ": ", entry.name, ": begins at byte ", entry.begin,
           " of the values, expected ", end);
    }
    end = entry.end;
  }
  if (end != data_bytes) {
    fail(ErrorKind::bad_data, path, ": has ", data_bytes, " bytes of values, expected ", end);
  }
  return entries;
}

}  // namespace

Safetensors read_safetensors(const std::string& path) {
  const InputFile file(path);
  constexpr std::uint64_t kLengthBytes = 8;
  std::uint64_t header_bytes = 0;
  if (file.size() < kLengthBytes) {
    fail(ErrorKind::bad_data, path, ": is ", file.size(), " bytes long, too short for safetensors");
  }
  file.read_at(0, &header_bytes, kLengthBytes);
  if (header_bytes > std::min(kMaxTensorHeaderBytes, file.size() - kLengthBytes)) {
    fail(ErrorKind::bad_data, path, ": declares a header of ", header_bytes, " bytes, expected at most ",
         std::min(kMaxTensorHeaderBytes, file.size() - kLengthBytes));
  }
  std::string text(header_bytes, '\0');
  file.read_at(kLengthBytes, text.data(), header_bytes);
  if (!text.starts_with('{')) fail(ErrorKind::bad_data, path, ": its header does not begin with '{'");
  const json header = parse_strict_json(text, path + ": header");

  const std::uint64_t data = kLengthBytes + header_bytes;
  Safetensors result;
  for (Entry& entry : parse_entries(header, file.size() - data, path)) {
    Array array = make_array(entry.type, std::move(entry.shape), path + ": " + entry.name);
    file.read_at(data + entry.begin, array.bytes.data(), array.bytes.size());
    result.tensors.emplace(std::move(entry.name), std::move(array));
  }
  if (header.contains(kMetadata)) result.metadata = parse_metadata(header[kMetadata], path);
  return result;
}

void write_safetensors(const std::string& path, const ArrayViews& tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<ArrayViews::const_iterator> order;
  for (auto it = tensors.begin(); it != tensors.end(); ++it) order.push_back(it);
  // With falling element sizes every tensor is aligned for its own type.
  std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return element_bytes(a->second.type) > element_bytes(b->second.type);
  });
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header[kMetadata] = metadata;
  std::uint64_t end = 0;
  for (const auto& it : order) {
    const std::uint64_t begin = end;
    end += it->second.bytes.size();
    header[it->first] = {{"dtype", kTypeNames[static_cast<int>(it->second.type)]},
                         {"shape", it->second.shape},
                         {"data_offsets", {begin, end}}};
  }
  std::string text = json_text(header, path);
  text.append((8 - text.size() % 8) % 8, ' ');
  const std::uint64_t header_bytes = text.size();
  AtomicFile file(path);
  file.write(&header_bytes, sizeof header_bytes);
  file.write(text.data(), text.size());
  for (const auto& it : order) file.write(it->second.bytes.data(), it->second.bytes.size());
  file.commit();
}

}  // namespace inocula
