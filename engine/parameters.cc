// Layout of the flat buffers.
#include "engine/parameters.h"

#include "engine/error.h"

namespace inocula {

namespace {
constexpr std::int64_t kEntryAlignment = 16;
}

const ParameterEntry& ParameterLayout::add(std::string name, std::vector<std::int64_t> shape) {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) count *= extent;
  if (count <= 0) fail(ErrorKind::internal, "parameter '", name, "' is empty");
  for (const ParameterEntry& other : entries_)
    if (other.name == name)
      fail(ErrorKind::usage, "parameter '", name, "' exists twice, expected node names that differ");
  entries_.push_back({std::move(name), std::move(shape), extent_, count});
  extent_ += (count + kEntryAlignment - 1) / kEntryAlignment * kEntryAlignment;
  return entries_.back();
}

const ParameterEntry& ParameterLayout::find(const std::string& name) const {
  for (const ParameterEntry& entry : entries_)
    if (entry.name == name) return entry;
  fail(ErrorKind::internal, "no parameter is called '", name, "'");
}

std::int64_t ParameterLayout::count() const {
  std::int64_t sum = 0;
  for (const ParameterEntry& entry : entries_) sum += entry.count;
  return sum;
}

void ParameterStore::allocate(const Device& device) {
  const auto bytes = [](const ParameterLayout& layout) {
    // One entry more than needed, so that an empty layout still has an address.
    return static_cast<std::size_t>(layout.extent() + kEntryAlignment) * sizeof(float);
  };
  values = Buffer(device, bytes(weights));
  gradients = Buffer(device, bytes(weights));
  running = Buffer(device, bytes(statistics));
}

}  // namespace inocula
