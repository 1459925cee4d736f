// JSON from files of unknown origin: bounded depth, no key twice, errors with their place. For io/'s sources
// only.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "engine/error.h"

namespace inocula {

constexpr std::uint64_t kMaxJsonBytes = 1 << 20;

/// Parses UTF-8 JSON whose root is an object; `where` opens the error text. Errors: bad_data.
nlohmann::json parse_strict_json(std::string_view text, const std::string& where);

/// The value under `key` as T. Errors: bad_data when the key is missing or its value no T; a number that T
/// cannot hold is none.
template <class T>
T json_value(const nlohmann::json& object, const char* key, const std::string& where);

/// `indent` < 0 gives one line. Errors: internal when a text in it is not UTF-8.
template <class Json>
std::string json_text(const Json& value, const std::string& where, int indent = -1) {
  try {
    return value.dump(indent);
  } catch (const nlohmann::json::type_error&) {
    fail(ErrorKind::internal, where, ": a text to be written as JSON is not UTF-8");
  }
}

}  // namespace inocula
