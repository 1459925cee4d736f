// Reading regions and factors.
#include "tools/constraint_files.h"

#include <algorithm>
#include <string>

#include "engine/error.h"
#include "io/array_file.h"

namespace inocula {

namespace {

std::vector<std::uint8_t> load_region(const std::string& path, const ImageSplit& split) {
  const Array array = read_array(path, "region");
  if (array.type != ElementType::u8 && array.type != ElementType::boolean)
    fail(ErrorKind::bad_data, path, ": holds ", element_name(array.type), ", expected u8 or bool");
  const std::vector<std::int64_t> one = {split.height, split.width},
                                  each = {split.count, split.height, split.width};
  if (array.shape != one && array.shape != each)
    fail(ErrorKind::bad_data, path, ": has shape ", shape_text(array.shape), ", expected ", shape_text(one),
         " for all images or ", shape_text(each), " for those of split '", split.name, "'");
  return array.bytes;
}

std::vector<float> load_eps_scale(const std::string& path, const ImageSplit& split) {
  const Array array = read_array(path, "eps_scale");
  const std::vector<std::int64_t> each = {split.count};
  if (array.shape != each)
    fail(ErrorKind::bad_data, path, ": has shape ", shape_text(array.shape), ", expected ", shape_text(each),
         ", a factor for each image of split '", split.name, "'");
  std::vector<float> factors;
  if (array.type == ElementType::f64)
    for (const double factor : values_of<double>(array, path)) factors.push_back(static_cast<float>(factor));
  else
    for (const float factor : values_of<float>(array, path)) factors.push_back(factor);
  return factors;
}

}  // namespace

attacks::Constraints load_constraints(const EvaluatorOptions& o, const ImageSplit& split) {
  o.check();
  attacks::Constraints c;
  c.bits = o.bits;
  if (o.channels == "same") c.channels = attacks::Channels::same;
  if (!o.region.empty()) c.region = load_region(o.region, split);
  if (!o.eps_scale.empty()) c.eps_scale = load_eps_scale(o.eps_scale, split);
  try {
    attacks::check_constraints(c, split);
  } catch (const Error& e) {
    // What is not of a file's shape is a value among its factors, or an image.
    const std::string text = e.what();
    if (!text.starts_with("eps_scale")) throw;
    fail(e.kind(), o.eps_scale, ": ", text);
  }
  return c;
}

}  // namespace inocula
