// The mapping between flat buffers and named tensors.
#include "tools/network_files.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <set>
#include <utility>
#include <vector>

#include "engine/error.h"
#include "io/safetensors.h"

namespace inocula {

namespace {

constexpr const char* kCounter = ".num_batches_tracked";
constexpr const char* kVariance = ".running_var";

/// The names of batch norm layers: what comes before ".running_mean".
std::vector<std::string> norm_names(const ParameterStore& store) {
  static const std::string suffix = ".running_mean";
  std::vector<std::string> names;
  for (const ParameterEntry& e : store.statistics.entries())
    if (e.name.ends_with(suffix)) names.push_back(e.name.substr(0, e.name.size() - suffix.size()));
  return names;
}

std::vector<float> entry_values(const Buffer& buffer, const ParameterEntry& e) {
  std::vector<float> values(static_cast<std::size_t>(e.count));
  buffer.download(values.data(), values.size(), static_cast<std::size_t>(e.offset));
  return values;
}

float half_to_float(std::uint16_t h) {
  const int exponent = h >> 10 & 31, mantissa = h & 1023;
  const float magnitude = exponent == 0    ? std::ldexp(static_cast<float>(mantissa), -24)
                          : exponent == 31 ? (mantissa == 0 ? INFINITY : NAN)
                                           : std::ldexp(static_cast<float>(mantissa + 1024), exponent - 25);
  return h >> 15 != 0 ? -magnitude : magnitude;
}

template <class T>
T element(const Array& a, std::size_t i) {
  T value;
  std::memcpy(&value, a.bytes.data() + i * sizeof(T), sizeof(T));
  return value;
}

/// Floats of a tensor, whichever floating type it has.
std::vector<float> floats_of(const Array& a, const std::string& where) {
  const std::size_t count = a.bytes.size() / element_bytes(a.type);
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) {
    switch (a.type) {
      case ElementType::f32:
        values[i] = element<float>(a, i);
        break;
      case ElementType::f64:
        values[i] = static_cast<float>(element<double>(a, i));
        break;
      case ElementType::f16:
        values[i] = half_to_float(element<std::uint16_t>(a, i));
        break;
      case ElementType::bf16:
        values[i] = std::bit_cast<float>(std::uint32_t{element<std::uint16_t>(a, i)} << 16);
        break;
      default:
        fail(ErrorKind::bad_data, where, ": holds ", element_name(a.type),
             ", expected floating-point numbers");
    }
  }
  // After the conversion: a double can be finite and no float.
  if (const auto at = find_non_finite(view_of(values, a.shape)))
    fail(ErrorKind::bad_data, where, ": element ", *at, " is ", values[static_cast<std::size_t>(*at)],
         ", expected finite numbers");
  return values;
}

/// The root of a negative variance is NaN, which a ReLU may turn into 0: a network that answers and means
/// nothing.
void require_variances(const std::vector<float>& values, const std::string& where) {
  for (std::size_t i = 0; i < values.size(); ++i)
    if (values[i] < 0)
      fail(ErrorKind::bad_data, where, ": element ", i, " is ", values[i],
           ", expected variances of at least 0");
}

}  // namespace

std::optional<NonFinite> find_non_finite(const Network& network) {
  const ParameterStore& store = network.parameters();
  const auto search = [](const ParameterLayout& layout, const Buffer& buffer) -> std::optional<NonFinite> {
    for (const ParameterEntry& e : layout.entries()) {
      const std::vector<float> values = entry_values(buffer, e);
      if (const auto at = find_non_finite(view_of(values, e.shape)))
        return NonFinite{e.name, *at, values[static_cast<std::size_t>(*at)]};
    }
    return std::nullopt;
  };
  if (auto found = search(store.weights, store.values)) return found;
  return search(store.statistics, store.running);
}

void save_network(const std::string& path, const Network& network) {
  const ParameterStore& store = network.parameters();
  std::vector<std::pair<const ParameterEntry*, std::vector<float>>> arrays;
  for (const ParameterEntry& e : store.weights.entries())
    arrays.emplace_back(&e, entry_values(store.values, e));
  for (const ParameterEntry& e : store.statistics.entries())
    arrays.emplace_back(&e, entry_values(store.running, e));
  ArrayViews views;
  for (const auto& [entry, values] : arrays) views[entry->name] = view_of(values, entry->shape);
  const std::vector<std::int64_t> counter{store.batches_tracked};
  for (const std::string& name : norm_names(store)) views[name + kCounter] = view_of(counter, {});
  write_safetensors(path, views, {{"format", "pt"}});
}

void load_network(const std::string& path, Network& network) {
  const Safetensors file = read_safetensors(path);
  ParameterStore& store = network.parameters();
  std::set<std::string> known;
  std::vector<std::pair<const ParameterEntry*, std::vector<float>>> weights, running;
  const auto collect = [&](const ParameterLayout& layout, auto& into) {
    for (const ParameterEntry& e : layout.entries()) {
      const std::string where = path + ": tensor '" + e.name + "'";
      const auto found = file.tensors.find(e.name);
      if (found == file.tensors.end())
        fail(ErrorKind::bad_data, where, " is missing, expected shape ", shape_text(e.shape));
      if (found->second.shape != e.shape)
        fail(ErrorKind::bad_data, where, " has shape ", shape_text(found->second.shape), ", expected ",
             shape_text(e.shape));
      into.emplace_back(&e, floats_of(found->second, where));
      known.insert(e.name);
    }
  };
  collect(store.weights, weights);
  collect(store.statistics, running);
  for (const auto& [entry, values] : running)
    if (entry->name.ends_with(kVariance)) require_variances(values, path + ": tensor '" + entry->name + "'");

  std::int64_t batches = 0;
  for (const std::string& norm : norm_names(store)) {
    const std::string name = norm + kCounter;
    const auto found = file.tensors.find(name);
    if (found == file.tensors.end()) continue;
    const auto values = values_of<std::int64_t>(found->second, path + ": tensor '" + name + "'");
    if (values.size() == 1) batches = values[0];
    known.insert(name);
  }
  for (const auto& [name, array] : file.tensors)
    if (!known.contains(name))
      fail(ErrorKind::bad_data, path, ": tensor '", name, "' belongs to no layer of this network");

  for (const auto& [entry, values] : weights)
    store.values.upload(values.data(), values.size(), static_cast<std::size_t>(entry->offset));
  for (const auto& [entry, values] : running)
    store.running.upload(values.data(), values.size(), static_cast<std::size_t>(entry->offset));
  store.batches_tracked = batches;
}

}  // namespace inocula
