// Parser and writer of the .npy header, and the way from its byte orders to ours.
#include "io/npy.h"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace inocula {
namespace {

constexpr std::uint64_t kMaxHeaderBytes = 64 * 1024;
constexpr std::string_view kMagic = "\x93NUMPY";

struct NpyHeader {
  ElementType type = ElementType::u8;
  bool big_endian = false;
  bool fortran_order = false;
  std::vector<std::int64_t> shape;
};

/// The header is a Python dictionary of three known keys; this reads that much of Python and no more.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& where) : text_(text), where_(where) {}

  NpyHeader parse() {
    NpyHeader header;
    bool has_type = false, has_order = false, has_shape = false;
    expect('{');
    while (!accept('}')) {
      const std::string_view key = parse_string();
      expect(':');
      if (key == "descr" && !has_type) {
        has_type = true;
        parse_type(header);
      } else if (key == "fortran_order" && !has_order) {
        has_order = true;
        header.fortran_order = parse_bool();
      } else if (key == "shape" && !has_shape) {
        has_shape = true;
        header.shape = parse_shape();
      } else {
        malformed("the keys descr, fortran_order and shape once each");
      }
      if (!accept(',') && peek() != '}') malformed("',' or '}'");
    }
    if (!has_type || !has_order || !has_shape) malformed("the keys descr, fortran_order and shape");
    skip_space();
    if (at_ != text_.size()) malformed("nothing after the closing '}'");
    return header;
  }

 private:
  [[noreturn]] void malformed(const char* expected) const {
    fail(ErrorKind::bad_data, where_, ": malformed .npy header at its byte ", at_, ", expected ", expected);
  }

  void skip_space() {
    while (at_ < text_.size() && std::strchr(" \t\r\n", text_[at_]) != nullptr && text_[at_] != '\0') ++at_;
  }

  char peek() {
    skip_space();
    return at_ < text_.size() ? text_[at_] : '\0';
  }

  bool accept(char wanted) {
    if (peek() != wanted) return false;
    ++at_;
    return true;
  }

  void expect(char wanted) {
    const char text[] = {'\'', wanted, '\'', '\0'};
    if (!accept(wanted)) malformed(text);
  }

  std::string_view parse_string() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') malformed("a quoted text");
    const std::size_t begin = ++at_;
    while (at_ < text_.size() && text_[at_] != quote && text_[at_] != '\\') ++at_;
    if (at_ == text_.size() || text_[at_] != quote) malformed("a plain text up to its closing quote");
    return text_.substr(begin, at_++ - begin);
  }

  bool parse_bool() {
    skip_space();
    for (const std::string_view word : {"True", "False"}) {
      if (text_.substr(at_, word.size()) == word) {
        at_ += word.size();
        return word == "True";
      }
    }
    malformed("True or False");
  }

  std::vector<std::int64_t> parse_shape() {
    std::vector<std::int64_t> shape;
    expect('(');
    while (!accept(')')) {
      if (shape.size() == kMaxRank) malformed("at most 8 axes");
      shape.push_back(parse_extent());
      const bool comma = accept(',');
      // (3) is a number in Python, (3,) a shape.
      if (!comma && (peek() != ')' || shape.size() == 1)) malformed("','");
    }
    return shape;
  }

  std::int64_t parse_extent() {
    std::int64_t value = 0;
    const char first = peek();
    if (first < '0' || first > '9') malformed("a number");
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
      if (__builtin_mul_overflow(value, 10, &value) ||
          __builtin_add_overflow(value, text_[at_] - '0', &value)) {
        malformed("an extent below 2^63");
      }
    }
    return value;
  }

  void parse_type(NpyHeader& header) {
    if (peek() == '[') {
      fail(ErrorKind::bad_data, where_, ": is an array of records, expected plain numbers");
    }
    const std::string_view text = parse_string();
    if (text.size() >= 2 && text[1] == 'O') {
      fail(ErrorKind::bad_data, where_, ": is an array of Python objects, which are programs and never read");
    }
    static constexpr struct {
      std::string_view code;
      ElementType type;
    } kTypes[] = {{"b1", ElementType::boolean}, {"u1", ElementType::u8},  {"i1", ElementType::i8},
                  {"u2", ElementType::u16},     {"i2", ElementType::i16}, {"u4", ElementType::u32},
                  {"i4", ElementType::i32},     {"u8", ElementType::u64}, {"i8", ElementType::i64},
                  {"f2", ElementType::f16},     {"f4", ElementType::f32}, {"f8", ElementType::f64}};
    const std::string_view code = text.substr(std::min<std::size_t>(1, text.size()));
    for (const auto& entry : kTypes) {
      const bool order_fits = !text.empty() && (text[0] == '<' || text[0] == '>' ||
                                                (text[0] == '|' && element_bytes(entry.type) == 1));
      if (entry.code == code && order_fits) {
        header.type = entry.type;
        header.big_endian = text[0] == '>';
        return;
      }
    }
    fail(ErrorKind::bad_data, where_, ": has element type '", printable(text),
         "', expected b1, u1 to u8, i1 to i8 or f2 to f8 with byte order < or >");
  }

  static std::string printable(std::string_view text) {
    std::string shown(text.substr(0, 16));
    std::replace_if(
        shown.begin(), shown.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
    return shown;
  }

  std::string_view text_;
  const std::string& where_;
  std::size_t at_ = 0;
};

/// Fortran order to C order: walks the target in order and steps the source index as an odometer.
std::vector<std::uint8_t> to_c_order(const Array& array) {
  const std::size_t rank = array.shape.size(), width = element_bytes(array.type);
  std::vector<std::size_t> stride(rank), index(rank, 0);
  std::size_t step = width;
  for (std::size_t axis = 0; axis < rank; ++axis) {
    stride[axis] = step;
    step *= static_cast<std::size_t>(array.shape[axis]);
  }
  std::vector<std::uint8_t> result(array.bytes.size());
  std::size_t from = 0;
  for (std::size_t to = 0; to < result.size(); to += width) {
    std::memcpy(result.data() + to, array.bytes.data() + from, width);
    for (std::size_t axis = rank; axis-- > 0;) {
      from += stride[axis];
      if (++index[axis] < static_cast<std::size_t>(array.shape[axis])) break;
      from -= index[axis] * stride[axis];
      index[axis] = 0;
    }
  }
  return result;
}

}  // namespace

Array read_npy(const ReadNext& read, std::uint64_t total_bytes, const std::string& where) {
  std::uint8_t start[12] = {};
  if (total_bytes < 10)
    fail(ErrorKind::bad_data, where, ": is ", total_bytes, " bytes long, too short for an .npy");
  read(start, 10);
  if (std::memcmp(start, kMagic.data(), kMagic.size()) != 0) {
    fail(ErrorKind::bad_data, where, ": does not begin with the mark of an .npy array");
  }
  const int version = start[6];
  if (version < 1 || version > 3 || start[7] != 0) {
    fail(ErrorKind::bad_data, where, ": has .npy format version ", version, ".", int{start[7]},
         ", expected 1.0 to 3.0");
  }
  std::uint64_t start_bytes = 10;
  std::uint64_t header_bytes = start[8] + 256u * start[9];
  if (version > 1) {
    if (total_bytes < 12) fail(ErrorKind::bad_data, where, ": ends inside its .npy header");
    read(start + 10, 2);
    start_bytes = 12;
    header_bytes += (std::uint64_t{start[10]} << 16) + (std::uint64_t{start[11]} << 24);
  }
  if (header_bytes > kMaxHeaderBytes || header_bytes > total_bytes - start_bytes) {
    fail(ErrorKind::bad_data, where, ": declares an .npy header of ", header_bytes,
         " bytes, expected at most ", std::min(kMaxHeaderBytes, total_bytes - start_bytes));
  }
  std::string text(header_bytes, '\0');
  read(text.data(), header_bytes);
  const NpyHeader header = HeaderParser(text, where).parse();

  const std::uint64_t payload = total_bytes - start_bytes - header_bytes;
  const std::uint64_t expected = array_bytes(header.type, header.shape, where);
  if (payload != expected) {
    fail(ErrorKind::bad_data, where, ": holds ", payload, " bytes of values, expected ", expected,
         " for shape ", shape_text(header.shape), " of ", element_name(header.type));
  }
  Array array = make_array(header.type, header.shape, where);
  read(array.bytes.data(), array.bytes.size());
  if (const std::uint64_t width = element_bytes(array.type); header.big_endian && width > 1) {
    for (auto at = array.bytes.begin(); at != array.bytes.end(); at += static_cast<std::ptrdiff_t>(width)) {
      std::reverse(at, at + static_cast<std::ptrdiff_t>(width));
    }
  }
  if (header.fortran_order && array.shape.size() > 1) array.bytes = to_c_order(array);
  return array;
}

std::string npy_header(const ArrayView& view) {
  static constexpr const char* kDescr[] = {"|b1", "|u1", "|i1", "<u2",   "<i2", "<u4", "<i4",
                                           "<u8", "<i8", "<f2", nullptr, "<f4", "<f8"};
  const char* descr = kDescr[static_cast<int>(view.type)];
  if (descr == nullptr) fail(ErrorKind::internal, "an .npy file cannot hold ", element_name(view.type));
  std::string text = std::string("{'descr': '") + descr +
                     "', 'fortran_order': False, 'shape': " + shape_text(view.shape) + ", }";
  // Values start at a multiple of 64 bytes, as NumPy aligns them for memory mapping.
  constexpr std::size_t kStart = 10;
  text.append(63 - (kStart + text.size()) % 64, ' ');
  text += '\n';
  const char start[kStart - 6] = {1, 0, static_cast<char>(text.size() % 256),
                                  static_cast<char>(text.size() / 256)};
  return std::string(kMagic) + std::string(start, sizeof start) + text;
}

}  // namespace inocula
