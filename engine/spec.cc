// Parsing specs.
#include "engine/spec.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>

namespace inocula {

namespace {

bool parse_decimal(std::string_view text, double& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() && std::isfinite(value);
}

/// Blanks before a part are dropped: lists are written "a, b" as often as "a,b".
std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  while (true) {
    const std::size_t end = text.find(separator, begin);
    while (begin < text.size() && text[begin] == ' ') ++begin;
    parts.push_back(begin < end ? text.substr(begin, end - begin) : "");
    if (end == std::string::npos) return parts;
    begin = end + 1;
  }
}

}  // namespace

double parse_number(std::string_view text, const std::string& what) {
  double numerator = 0, denominator = 1;
  const std::size_t slash = text.find('/');
  const bool good = slash == std::string_view::npos
                        ? parse_decimal(text, numerator)
                        : parse_decimal(text.substr(0, slash), numerator) &&
                              parse_decimal(text.substr(slash + 1), denominator) && denominator != 0;
  if (!good) fail(ErrorKind::usage, what, ": '", text, "', expected a number such as 8/255 or 0.03");
  return numerator / denominator;
}

std::string format_number(double value) {
  const double in_levels = value * 255;
  char decimal[48], levels[48];
  std::snprintf(decimal, sizeof decimal, "%.9g", value);
  std::snprintf(levels, sizeof levels, "%.0f/255", std::round(in_levels));
  const bool whole_levels = value != 0 && std::abs(value) < 1 &&
                            std::abs(in_levels - std::round(in_levels)) < 1e-9 * std::abs(in_levels);
  return whole_levels && std::strlen(levels) < std::strlen(decimal) ? levels : decimal;
}

Spec Spec::parse(const std::string& text) {
  Spec spec;
  spec.text_ = text;
  const std::size_t colon = text.find(':');
  spec.name_ = text.substr(0, colon);
  if (spec.name_.empty()) fail(ErrorKind::usage, "'", text, "': expected name:key=value,…");
  if (colon == std::string::npos) return spec;
  for (const std::string& field : split(text.substr(colon + 1), ',')) {
    const std::size_t equals = field.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == field.size())
      fail(ErrorKind::usage, "'", text, "': field '", field, "', expected key=value");
    if (!spec.fields_.emplace(field.substr(0, equals), field.substr(equals + 1)).second)
      fail(ErrorKind::usage, "'", text, "': key '", field.substr(0, equals), "' is given twice");
  }
  return spec;
}

void Spec::refuse(const std::string& key, const std::string& expected) const {
  fail(ErrorKind::usage, "'", text_, "': ", key, "=", fields_.at(key), ", expected ", expected);
}

void Spec::allow(std::initializer_list<const char*> keys) const {
  for (const auto& [key, value] : fields_) {
    if (std::find(keys.begin(), keys.end(), key) != keys.end()) continue;
    std::string known;
    for (const char* k : keys) known += std::string(known.empty() ? "" : ", ") + k;
    fail(ErrorKind::usage, "'", text_, "': unknown key '", key, "', expected ",
         known.empty() ? "no keys" : "one of: " + known);
  }
}

std::string Spec::word(const std::string& key, const std::string& fallback) const {
  return has(key) ? fields_.at(key) : fallback;
}

double Spec::number(const std::string& key, double fallback) const {
  return has(key) ? parse_number(fields_.at(key), "'" + text_ + "': " + key) : fallback;
}

std::int64_t Spec::integer(const std::string& key, std::int64_t fallback, std::int64_t low,
                           std::int64_t high) const {
  if (!has(key)) return fallback;
  const std::string& text = fields_.at(key);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) refuse(key, "a whole number");
  if (value < low || value > high)
    refuse(key, "a whole number from " + std::to_string(low) + " to " + std::to_string(high));
  return value;
}

std::vector<double> Spec::numbers(const std::string& key, double fallback) const {
  if (!has(key)) return {fallback};
  std::vector<double> values;
  for (const std::string& part : split(fields_.at(key), ';'))
    values.push_back(parse_number(part, "'" + text_ + "': " + key));
  return values;
}

}  // namespace inocula
