// Typed arrays as every file format here carries them: element type, shape, bytes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "engine/error.h"

namespace inocula {

enum class ElementType { boolean, u8, i8, u16, i16, u32, i32, u64, i64, f16, bf16, f32, f64 };

constexpr std::size_t kMaxRank = 8;
/// No array read from a file may be larger: above every published medical set, below what an address can
/// hold.
constexpr std::uint64_t kMaxArrayBytes = std::uint64_t{1} << 36;

std::uint64_t element_bytes(ElementType type);
const char* element_name(ElementType type);                      ///< "u8", "f32", "bool", …
bool is_integer(ElementType type);                               ///< booleans included
std::string shape_text(const std::vector<std::int64_t>& shape);  ///< "(4708, 28, 28)"

/// Bytes of an array; `where` (file and array) opens the error text.
/// Errors: bad_data for a negative extent, more than kMaxRank axes or more than kMaxArrayBytes.
std::uint64_t array_bytes(ElementType type, const std::vector<std::int64_t>& shape, const std::string& where);

/// Elements in C order, little-endian; bytes.size() == array_bytes(type, shape).
struct Array {
  ElementType type = ElementType::u8;
  std::vector<std::int64_t> shape;
  std::vector<std::uint8_t> bytes;
};

/// Zeroed memory for an array read from a file. Errors: as array_bytes; io when the memory is not to be had.
Array make_array(ElementType type, std::vector<std::int64_t> shape, const std::string& where);

/// An array that somebody else owns, for use without a copy.
struct ArrayView {
  ElementType type = ElementType::u8;
  std::vector<std::int64_t> shape;
  std::span<const std::uint8_t> bytes;
};

using Arrays = std::map<std::string, Array>;
using ArrayViews = std::map<std::string, ArrayView>;

ArrayView view_of(const Array& array);
ArrayViews views_of(const Arrays& arrays);

/// Index of the first NaN or infinity, if any; always none for integers.
std::optional<std::int64_t> find_non_finite(const ArrayView& array);

template <class T>
constexpr ElementType element_type_of() {
  if constexpr (std::is_same_v<T, float>) return ElementType::f32;
  if constexpr (std::is_same_v<T, double>) return ElementType::f64;
  if constexpr (std::is_same_v<T, std::uint8_t>) return ElementType::u8;
  if constexpr (std::is_same_v<T, std::int8_t>) return ElementType::i8;
  if constexpr (std::is_same_v<T, std::uint16_t>) return ElementType::u16;
  if constexpr (std::is_same_v<T, std::int16_t>) return ElementType::i16;
  if constexpr (std::is_same_v<T, std::uint32_t>) return ElementType::u32;
  if constexpr (std::is_same_v<T, std::int32_t>) return ElementType::i32;
  if constexpr (std::is_same_v<T, std::uint64_t>) return ElementType::u64;
  if constexpr (std::is_same_v<T, std::int64_t>) return ElementType::i64;
}

/// Values in memory as an array of `shape`. Errors: internal when the count differs from the shape's.
template <class T>
ArrayView view_of(const std::vector<T>& values, std::vector<std::int64_t> shape) {
  ArrayView view{element_type_of<T>(),
                 std::move(shape),
                 {reinterpret_cast<const std::uint8_t*>(values.data()), values.size() * sizeof(T)}};
  if (array_bytes(view.type, view.shape, "array in memory") != view.bytes.size()) {
    fail(ErrorKind::internal, "array in memory: ", values.size(), " values for shape ",
         shape_text(view.shape));
  }
  return view;
}

/// An array's elements as T. Errors: bad_data naming `where` when the element type is another.
template <class T>
std::span<const T> values_of(const Array& array, const std::string& where) {
  if (array.type != element_type_of<T>()) {
    fail(ErrorKind::bad_data, where, ": holds ", element_name(array.type), ", expected ",
         element_name(element_type_of<T>()));
  }
  return {reinterpret_cast<const T*>(array.bytes.data()), array.bytes.size() / sizeof(T)};
}

}  // namespace inocula
