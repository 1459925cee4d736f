// The short texts by which users name attacks, corruptions and models: "name:key=value,key=value".
#pragma once

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/error.h"

namespace inocula {

/// A number as papers write it: "8/255", "0.031", "1e-3". Throws Error (usage) naming `what`.
double parse_number(std::string_view text, const std::string& what);
/// The shorter of a decimal of nine digits and, where it is one, k/255: parse_number reads either back.
std::string format_number(double value);

/// A parsed spec. Every getter throws Error (usage) that names the spec, the key and what was expected.
class Spec {
 public:
  /// Syntax only: which keys make sense is checked by allow().
  static Spec parse(const std::string& text);

  const std::string& name() const { return name_; }
  const std::string& text() const { return text_; }
  bool has(const std::string& key) const { return fields_.count(key) > 0; }

  /// Refuses any key that is not in the list.
  void allow(std::initializer_list<const char*> keys) const;

  std::string word(const std::string& key, const std::string& fallback) const;
  double number(const std::string& key, double fallback) const;
  /// From `low` to `high`; the fallback is not checked.
  std::int64_t integer(const std::string& key, std::int64_t fallback,
                       std::int64_t low = std::numeric_limits<std::int64_t>::min(),
                       std::int64_t high = std::numeric_limits<std::int64_t>::max()) const;
  /// "1/255;2/255": one or more numbers.
  std::vector<double> numbers(const std::string& key, double fallback) const;

 private:
  [[noreturn]] void refuse(const std::string& key, const std::string& expected) const;

  std::string text_, name_;
  std::map<std::string, std::string> fields_;
};

}  // namespace inocula
