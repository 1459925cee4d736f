// Sizes, names and checks of typed arrays.
#include "io/array.h"

#include <bit>
#include <cstring>
#include <new>

namespace inocula {

static_assert(std::endian::native == std::endian::little, "arrays are kept little-endian");

std::uint64_t element_bytes(ElementType type) {
  switch (type) {
    case ElementType::boolean:
    case ElementType::u8:
    case ElementType::i8:
      return 1;
    case ElementType::u16:
    case ElementType::i16:
    case ElementType::f16:
    case ElementType::bf16:
      return 2;
    case ElementType::u32:
    case ElementType::i32:
    case ElementType::f32:
      return 4;
    default:
      return 8;
  }
}

const char* element_name(ElementType type) {
  static constexpr const char* kNames[] = {"bool", "u8",  "i8",  "u16",  "i16", "u32", "i32",
                                           "u64",  "i64", "f16", "bf16", "f32", "f64"};
  return kNames[static_cast<int>(type)];
}

bool is_integer(ElementType type) {
  return type < ElementType::f16;
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "(";
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    text += (axis == 0 ? "" : ", ") + std::to_string(shape[axis]);
  }
  return text + (shape.size() == 1 ? ",)" : ")");
}

std::uint64_t array_bytes(ElementType type, const std::vector<std::int64_t>& shape,
                          const std::string& where) {
  if (shape.size() > kMaxRank) {
    fail(ErrorKind::bad_data, where, ": has ", shape.size(), " axes, expected at most ", kMaxRank);
  }
  std::uint64_t bytes = element_bytes(type);
  for (const std::int64_t extent : shape) {
    if (extent < 0) fail(ErrorKind::bad_data, where, ": shape ", shape_text(shape), " has a negative extent");
    if (__builtin_mul_overflow(bytes, static_cast<std::uint64_t>(extent), &bytes)) bytes = UINT64_MAX;
    if (bytes > kMaxArrayBytes) {
      fail(ErrorKind::bad_data, where, ": shape ", shape_text(shape), " of ", element_name(type),
           " is larger than the limit of ", kMaxArrayBytes, " bytes");
    }
  }
  return bytes;
}

Array make_array(ElementType type, std::vector<std::int64_t> shape, const std::string& where) {
  Array array{type, std::move(shape), {}};
  const std::uint64_t bytes = array_bytes(type, array.shape, where);
  try {
    array.bytes.resize(bytes);
  } catch (const std::bad_alloc&) {
    fail(ErrorKind::io, where, ": needs ", bytes, " bytes of memory, which this machine does not give");
  }
  return array;
}

namespace {

/// A floating-point number is NaN or infinite exactly when all bits of its exponent are set.
template <class Word>
std::optional<std::int64_t> find_full_exponent(const ArrayView& array, Word exponent) {
  for (std::size_t i = 0; i < array.bytes.size() / sizeof(Word); ++i) {
    Word word;
    std::memcpy(&word, array.bytes.data() + i * sizeof(Word), sizeof(Word));
    if ((word & exponent) == exponent) return static_cast<std::int64_t>(i);
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::int64_t> find_non_finite(const ArrayView& array) {
  switch (array.type) {
    case ElementType::f16:
      return find_full_exponent<std::uint16_t>(array, 0x7C00);
    case ElementType::bf16:
      return find_full_exponent<std::uint16_t>(array, 0x7F80);
    case ElementType::f32:
      return find_full_exponent<std::uint32_t>(array, 0x7F800000);
    case ElementType::f64:
      return find_full_exponent<std::uint64_t>(array, 0x7FF0000000000000);
    default:
      return std::nullopt;
  }
}

ArrayView view_of(const Array& array) {
  return {array.type, array.shape, array.bytes};
}

ArrayViews views_of(const Arrays& arrays) {
  ArrayViews views;
  for (const auto& [name, array] : arrays) views.emplace(name, view_of(array));
  return views;
}

}  // namespace inocula
