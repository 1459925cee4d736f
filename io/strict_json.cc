// Strict JSON over nlohmann's parser.
#include "io/strict_json.h"

#include <set>
#include <vector>

namespace inocula {
namespace {

constexpr int kMaxDepth = 64;

using nlohmann::json;

[[noreturn]] void wrong_value(const std::string& where, const char* key, const char* expected) {
  fail(ErrorKind::bad_data, where, ": key '", key, "' is not ", expected);
}

}  // namespace

json parse_strict_json(std::string_view text, const std::string& where) {
  std::vector<std::set<std::string>> keys;  // of the objects now open
  const auto check = [&](int depth, json::parse_event_t event, json& value) {
    if (depth > kMaxDepth)
      fail(ErrorKind::bad_data, where, ": JSON nested deeper than ", kMaxDepth, " levels");
    if (event == json::parse_event_t::object_start) keys.emplace_back();
    if (event == json::parse_event_t::object_end) keys.pop_back();
    if (event == json::parse_event_t::key && !keys.back().insert(value.get<std::string>()).second) {
      fail(ErrorKind::bad_data, where, ": JSON key '", value.get<std::string>(), "' appears twice");
    }
    return true;
  };
  json root;
  try {
    root = json::parse(text, check);
  } catch (const json::parse_error& error) {
    fail(ErrorKind::bad_data, where, ": malformed JSON near byte ", error.byte);
  } catch (const json::out_of_range&) {
    fail(ErrorKind::bad_data, where, ": JSON number out of range");
  }
  if (!root.is_object()) fail(ErrorKind::bad_data, where, ": its JSON is not an object");
  return root;
}

template <class T>
T json_value(const json& object, const char* key, const std::string& where) {
  const auto found = object.find(key);
  if (found == object.end()) fail(ErrorKind::bad_data, where, ": key '", key, "' is missing");
  if constexpr (std::is_same_v<T, std::string>) {
    if (!found->is_string()) wrong_value(where, key, "a text");
  } else if constexpr (std::is_same_v<T, std::uint64_t>) {
    if (!found->is_number_unsigned()) wrong_value(where, key, "a whole number from 0 to 2^64 - 1");
  } else if constexpr (std::is_same_v<T, std::int64_t>) {
    if (!found->is_number_integer() ||
        (found->is_number_unsigned() && found->get<std::uint64_t>() > INT64_MAX)) {
      wrong_value(where, key, "a whole number below 2^63");
    }
  } else {
    static_assert(std::is_same_v<T, std::vector<double>>);
    bool numbers = found->is_array();
    for (std::size_t i = 0; numbers && i < found->size(); ++i) numbers = (*found)[i].is_number();
    if (!numbers) wrong_value(where, key, "a list of numbers");
  }
  return found->get<T>();
}

template std::string json_value(const json&, const char*, const std::string&);
template std::uint64_t json_value(const json&, const char*, const std::string&);
template std::int64_t json_value(const json&, const char*, const std::string&);
template std::vector<double> json_value(const json&, const char*, const std::string&);

}  // namespace inocula
