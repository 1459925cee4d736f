// Memory and threads of the CPU backend.
#include "engine/backends/cpu/backend.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <new>
#include <sstream>
#include <string>

#include "engine/backends/cpu/conv.h"
#include "engine/backends/cpu/free_memory.h"
#include "engine/backends/cpu/thread_scope.h"
#include "engine/error.h"

namespace inocula::cpu {

namespace {

constexpr std::size_t kCacheLine = 64;
constexpr std::size_t kHugePage = std::size_t{2} << 20;
/// The second cache of server cores with AVX-512. A constant: a Program is the same on every machine.
constexpr std::size_t kCoreCache = std::size_t{2} << 20;

/// Linux promises memory that it does not have and ends the process when the promise is kept: ask before.
void require_free(std::size_t bytes) {
  constexpr std::size_t kWorthAsking = std::size_t{64} << 20;
  if (bytes < kWorthAsking) return;
  if (const std::size_t free = free_memory(); bytes > free) fail_out_of_memory("cpu", bytes, free);
}

class CpuBackend final : public Backend {
 public:
  CpuBackend(const KernelTable& kernels, int threads, bool precise)
      : block_(preferred_block()),
        queue_{.threads = threads, .stream = nullptr},
        convolutions_(kernels, block_, threads, precise) {}

  std::string name() const override { return "cpu"; }
  std::string describe() const override { return describe_machine(); }
  bool supports(Precision precision) const override { return cpu::supports(precision); }
  std::int64_t block(std::int64_t channels, Element element) const override {
    return stored_block(channels, element, block_);
  }
  std::size_t core_cache_bytes() const override { return kCoreCache; }

  void* allocate(std::size_t bytes, Contents contents) override {
    const std::size_t alignment = bytes >= kHugePage ? kHugePage : kCacheLine;
    const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
    require_free(bytes);
    void* memory = std::aligned_alloc(alignment, rounded);
    if (memory == nullptr) fail(ErrorKind::missing_package, "out of memory: ", bytes, " bytes are needed");
    // Fewer page faults and TLB misses for arenas; a kernel without huge pages says no, which is fine.
    if (bytes >= kHugePage) madvise(memory, rounded, MADV_HUGEPAGE);
    if (contents == Contents::zeros) std::memset(memory, 0, rounded);
    return memory;
  }
  void release(void* memory, std::size_t) override { std::free(memory); }
  void upload(void* to, const void* from, std::size_t bytes) override {
    if (bytes > 0) std::memcpy(to, from, bytes);
  }
  void download(void* to, const void* from, std::size_t bytes) override {
    if (bytes > 0) std::memcpy(to, from, bytes);
  }

  void copy(void* to, const void* from, std::size_t bytes) override { std::memcpy(to, from, bytes); }

  std::shared_ptr<PreparedConv> conv_forward(const ConvGeometry& g, const ConvEpilogue& e) override {
    return convolutions_.forward(g, e);
  }
  std::shared_ptr<PreparedConv> conv_backward_data(const ConvGeometry& g,
                                                   const GradientEpilogue& e) override {
    return convolutions_.backward_data(g, e);
  }
  std::shared_ptr<PreparedConv> conv_backward_weights(const ConvGeometry& g) override {
    return convolutions_.backward_weights(g);
  }

  std::vector<ConvChoice> choices() const override { return convolutions_.choices(); }

  void run(const std::function<void(const Queue&)>& work) override {
    const ThreadScope scope(queue_.threads);
    work(queue_);
  }

 private:
  std::int64_t block_;
  Queue queue_;
  ConvFactory convolutions_;
};

std::string processor_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  return "unknown processor";
}

const char* isa_name(dnnl::cpu_isa isa) {
  switch (isa) {
    case dnnl::cpu_isa::sse41:
      return "SSE4.1";
    case dnnl::cpu_isa::avx:
      return "AVX";
    case dnnl::cpu_isa::avx2:
      return "AVX2";
    case dnnl::cpu_isa::avx2_vnni:
      return "AVX2 with VNNI";
    case dnnl::cpu_isa::avx512_core:
      return "AVX-512";
    case dnnl::cpu_isa::avx512_core_vnni:
      return "AVX-512 with VNNI";
    case dnnl::cpu_isa::avx512_core_bf16:
      return "AVX-512 with bf16";
    case dnnl::cpu_isa::avx512_core_amx:
      return "AVX-512 with AMX";
    default:
      return "another instruction set";
  }
}

bool has(dnnl::cpu_isa wanted) {
  const auto isa = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  const auto bits = static_cast<unsigned>(wanted);
  return (isa & bits) == bits;
}

}  // namespace

std::int64_t preferred_block() {
  return has(dnnl::cpu_isa::avx512_core) ? 16 : 8;
}

bool channels_last(Element element) {
  return element == Element::bf16 && has(dnnl::cpu_isa::avx512_core_amx);
}

std::int64_t stored_block(std::int64_t channels, Element element, std::int64_t block) {
  return channels_last(element) ? (channels + block - 1) / block * block : block;
}

bool supports(Precision precision) {
  return precision == Precision::fp32 || has(dnnl::cpu_isa::avx512_core);
}

std::unique_ptr<Backend> make_backend(const KernelTable& kernels, int threads, bool precise) {
  return std::make_unique<CpuBackend>(kernels, threads, precise);
}

std::string describe_machine() {
  const dnnl_version_t* v = dnnl_version();
  std::ostringstream text;
  text << processor_name() << "\n"
       << "oneDNN " << v->major << "." << v->minor << "." << v->patch << " using "
       << isa_name(dnnl::get_effective_cpu_isa()) << "\n"
       << "precisions: fp32" << (supports(Precision::bf16) ? ", bf16" : "");
  return text.str();
}

}  // namespace inocula::cpu
