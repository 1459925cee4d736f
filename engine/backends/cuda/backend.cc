// Memory, the stream, and the capture of Programs on CUDA.
#include "engine/backends/cuda/backend.h"

#include <cstdlib>
#include <cstring>
#include <exception>
#include <sstream>
#include <utility>

#include "engine/backends/cuda/check.h"
#include "engine/backends/cuda/conv.h"
#include "engine/backends/cuda/cudnn.h"
#include "engine/backends/cuda/event_stopwatch.h"
#include "engine/backends/cuda/last_work.h"
#include "engine/backends/cuda/staging.h"
#include "engine/error.h"

namespace inocula::cuda {

namespace {

/// A stream of our own, or the caller's.
class Stream {
 public:
  explicit Stream(void* callers) : stream_(static_cast<cudaStream_t>(callers)), own_(callers == nullptr) {
    // Without the flag it would wait for the legacy stream's work, and that for ours.
    if (own_) check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreate");
  }
  ~Stream() {
    if (own_) cudaStreamDestroy(stream_);
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  cudaStream_t get() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
  bool own_;
};

/// What was taken down, until it is made executable.
struct Graph {
  Graph() = default;
  ~Graph() {
    if (handle != nullptr) cudaGraphDestroy(handle);
  }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  cudaGraph_t handle = nullptr;
};

/// Whether the user asked the runtime to wait for each launch, as one does who looks for a faulty kernel.
bool waits_for_launches() {
  const char* const value = std::getenv("CUDA_LAUNCH_BLOCKING");
  return value != nullptr && std::strcmp(value, "1") == 0;
}

class GraphReplay final : public Replay {
 public:
  GraphReplay(cudaGraph_t graph, cudaStream_t stream, int ordinal, std::string name, LastWork& last)
      : stream_(stream), ordinal_(ordinal), name_(std::move(name)), last_(last) {
    check(cudaGraphInstantiate(&executable_, graph, 0), "cudaGraphInstantiate of ", name_);
    // Else the first launch would carry the upload.
    const cudaError_t uploaded = cudaGraphUpload(executable_, stream_);
    if (uploaded != cudaSuccess) cudaGraphExecDestroy(executable_);
    check(uploaded, "cudaGraphUpload of ", name_);
  }
  ~GraphReplay() override {
    // What was launched may still run.
    cudaStreamSynchronize(stream_);
    cudaGraphExecDestroy(executable_);
  }
  GraphReplay(const GraphReplay&) = delete;
  GraphReplay& operator=(const GraphReplay&) = delete;

  void launch() override {
    const DeviceScope scope(ordinal_);
    check(cudaGraphLaunch(executable_, stream_), "cudaGraphLaunch of ", name_, last_);
    last_.note(name_);
  }

 private:
  cudaStream_t stream_;
  int ordinal_;
  std::string name_;
  LastWork& last_;
  cudaGraphExec_t executable_ = nullptr;
};

int attribute(cudaDeviceAttr which, int ordinal) {
  int value = 0;
  check(cudaDeviceGetAttribute(&value, which, ordinal), "cudaDeviceGetAttribute of cuda:", ordinal);
  return value;
}

/// 90 for compute capability 9.0.
int compute_capability(int ordinal) {
  return 10 * attribute(cudaDevAttrComputeCapabilityMajor, ordinal) +
         attribute(cudaDevAttrComputeCapabilityMinor, ordinal);
}

/// "12.8"
std::string cuda_version(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

/// Why no GPU can be used, or an empty text; counts them.
std::string count_devices(int& count) {
  count = 0;
  int driver = 0;
  const cudaError_t asked = cudaDriverGetVersion(&driver);
  if (asked != cudaSuccess || driver == 0) return "no NVIDIA driver is loaded on this machine";
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaErrorInsufficientDriver) {
    int runtime = 0;
    cudaRuntimeGetVersion(&runtime);
    return "the NVIDIA driver supports CUDA up to " + cuda_version(driver) + ", this build needs " +
           cuda_version(runtime);
  }
  if (status != cudaSuccess) return std::string(cudaGetErrorString(status));
  return count == 0 ? "the NVIDIA driver sees no GPU" : "";
}

/// Puts the caller's device back when what is declared after it is gone.
struct DeviceAtEnd {
  DeviceAtEnd() = default;
  ~DeviceAtEnd() {
    if (callers >= 0) cudaSetDevice(callers);
  }
  DeviceAtEnd(const DeviceAtEnd&) = delete;
  DeviceAtEnd& operator=(const DeviceAtEnd&) = delete;

  int callers = -1;
};

class CudaBackend final : public Backend {
 public:
  CudaBackend(const KernelTable& kernels, const BackendOptions& o)
      : ordinal_(o.ordinal),
        allocator_(o.allocator),
        last_(o.ordinal),
        stream_(o.stream),
        queue_{.threads = 1, .stream = stream_.get()},
        staging_(stream_.get(), last_),
        cudnn_(Cudnn::open(stream_.get(), compute_capability(o.ordinal))),
        convolutions_(kernels, *cudnn_, o.admission) {
    require_code(kernels);
  }
  CudaBackend(const CudaBackend&) = delete;
  CudaBackend& operator=(const CudaBackend&) = delete;
  /// Streams, page-locked memory and cuDNN's handle are given back where they were made. Throws nothing: what
  /// fails here was reported by the call that broke the device.
  ~CudaBackend() override {
    cudaGetDevice(&at_end_.callers);
    cudaSetDevice(ordinal_);
    cudaStreamSynchronize(stream_.get());
  }

  std::string name() const override { return "cuda:" + std::to_string(ordinal_); }

  std::string describe() const override {
    constexpr double kGibibyte = 1024.0 * 1024.0 * 1024.0;
    cudaDeviceProp properties{};
    check(cudaGetDeviceProperties(&properties, ordinal_), "cudaGetDeviceProperties of ", name());
    int driver = 0, runtime = 0;
    check(cudaDriverGetVersion(&driver), "cudaDriverGetVersion");
    check(cudaRuntimeGetVersion(&runtime), "cudaRuntimeGetVersion");
    std::ostringstream text;
    text << properties.name << ", compute capability " << properties.major << "." << properties.minor << ", "
         << properties.multiProcessorCount << " multiprocessors, "
         << static_cast<double>(properties.totalGlobalMem) / kGibibyte << " GiB\n"
         << "CUDA " << cuda_version(runtime) << ", the driver's up to " << cuda_version(driver) << "\n"
         << "cuDNN " << cudnn_->version() << "\n"
         << "precisions: fp32, bf16";
    return text.str();
  }

  /// Tensor cores multiply bf16 from compute capability 8.0 on, the least that this is built for.
  bool supports(Precision) const override { return true; }
  std::int64_t block(std::int64_t channels, Element) const override { return stored_channels(channels); }

  void* allocate(std::size_t bytes, Contents contents) override {
    const DeviceScope scope(ordinal_);
    void* memory = nullptr;
    if (allocator_) {
      memory = allocator_.allocate(bytes);
      if (memory == nullptr) refuse(bytes);
    } else if (const cudaError_t status = cudaMalloc(&memory, bytes > 0 ? bytes : 1);
               status == cudaErrorMemoryAllocation) {
      cudaGetLastError();  // the runtime would report it once more
      refuse(bytes);
    } else {
      check(status, "cudaMalloc of ", bytes, " bytes", last_);
    }
    if (contents == Contents::undefined) return memory;
    const cudaError_t cleared = cudaMemsetAsync(memory, 0, bytes, stream_.get());
    if (cleared != cudaSuccess) release(memory, bytes);
    check(cleared, "cudaMemsetAsync of ", bytes, " bytes", last_);
    return memory;
  }

  void release(void* memory, std::size_t bytes) override {
    // Called by destructors: what fails here was reported by the call that broke the device, or will be.
    int before = 0;
    const bool known = cudaGetDevice(&before) == cudaSuccess;
    cudaSetDevice(ordinal_);
    cudaStreamSynchronize(stream_.get());
    if (allocator_)
      allocator_.release(memory, bytes);
    else
      cudaFree(memory);
    if (known) cudaSetDevice(before);
  }

  void upload(void* to, const void* from, std::size_t bytes) override {
    const DeviceScope scope(ordinal_);
    staging_.upload(to, from, bytes);
  }

  void download(void* to, const void* from, std::size_t bytes) override {
    const DeviceScope scope(ordinal_);
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream_.get()), "cudaMemcpyAsync of ",
          bytes, " bytes to the host", last_);
    check(cudaStreamSynchronize(stream_.get()), "waiting", last_);
  }

  std::shared_ptr<PreparedConv> conv_forward(const ConvGeometry& g, const ConvEpilogue& e) override {
    const DeviceScope scope(ordinal_);
    return convolutions_.forward(g, e);
  }
  std::shared_ptr<PreparedConv> conv_backward_data(const ConvGeometry& g,
                                                   const GradientEpilogue& e) override {
    const DeviceScope scope(ordinal_);
    return convolutions_.backward_data(g, e);
  }
  std::shared_ptr<PreparedConv> conv_backward_weights(const ConvGeometry& g) override {
    const DeviceScope scope(ordinal_);
    return convolutions_.backward_weights(g);
  }
  std::vector<ConvChoice> choices() const override { return convolutions_.choices(); }

  void run(const std::function<void(const Queue&)>& work) override {
    const DeviceScope scope(ordinal_);
    work(queue_);
    check(cudaGetLastError(), "launching a kernel", last_);
  }

  void require_enqueued(const std::string& step) override {
    require_launched(step);
    last_.note(step);
  }

  std::unique_ptr<Replay> capture(const std::vector<NamedLaunch>& steps) override {
    if (waits_for_launches()) return nullptr;  // in a graph no kernel could be told from another
    const DeviceScope scope(ordinal_);
    // Relaxed: a kernel's first launch may load its code, which a stricter mode forbids.
    check(cudaStreamBeginCapture(stream_.get(), cudaStreamCaptureModeRelaxed), "cudaStreamBeginCapture");
    Graph graph;
    try {
      for (const NamedLaunch& step : steps) {
        step.launch(queue_);
        require_launched(step.name);
      }
    } catch (...) {
      cudaStreamEndCapture(stream_.get(), &graph.handle);
      cudaGetLastError();
      throw;
    }
    const std::string name = "a graph of " + std::to_string(steps.size()) + " steps from " +
                             steps.front().name + " to " + steps.back().name;
    check(cudaStreamEndCapture(stream_.get(), &graph.handle), "cudaStreamEndCapture of ", name);
    return std::make_unique<GraphReplay>(graph.handle, stream_.get(), ordinal_, name, last_);
  }

  std::unique_ptr<Stopwatch> make_stopwatch() const override {
    return std::make_unique<EventStopwatch>(stream_.get(), ordinal_);
  }

  void copy(void* to, const void* from, std::size_t bytes) override {
    const DeviceScope scope(ordinal_);
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream_.get()), "cudaMemcpyAsync of ",
          bytes, " bytes on the device", last_);
  }

  void synchronize() override {
    const DeviceScope scope(ordinal_);
    check(cudaStreamSynchronize(stream_.get()), "waiting", last_);
  }

 private:
  void require_launched(const std::string& step) const {
    check(cudaGetLastError(), "step '", step, "'", last_);
  }

  [[noreturn]] void refuse(std::size_t bytes) const {
    fail_out_of_memory(name(), bytes, allocator_.free_bytes ? allocator_.free_bytes() : free_memory());
  }

  /// A build for other GPUs holds no code that this one runs; the first launch says so.
  void require_code(const KernelTable& kernels) {
    void* const probe = allocate(sizeof(float), Contents::undefined);
    kernels.fill(queue_, {static_cast<float*>(probe), 1, 1.0f});
    const cudaError_t status = cudaGetLastError();
    release(probe, sizeof(float));
    if (status == cudaErrorNoKernelImageForDevice || status == cudaErrorInvalidDeviceFunction)
      fail(ErrorKind::missing_package, name(), " has compute capability ", compute_capability(ordinal_) / 10,
           ".", compute_capability(ordinal_) % 10, ", for which this build holds no code: build it with ",
           "-DCMAKE_CUDA_ARCHITECTURES=", compute_capability(ordinal_));
    check(status, "the first kernel on ", name());
  }

  DeviceAtEnd at_end_;
  int ordinal_;
  DeviceAllocator allocator_;
  LastWork last_;
  Stream stream_;
  Queue queue_;
  PinnedStaging staging_;
  std::unique_ptr<Cudnn> cudnn_;
  ConvFactory convolutions_;
};

}  // namespace

std::unique_ptr<Backend> make_backend(const KernelTable& kernels, const BackendOptions& options) {
  int count = 0;
  const std::string reason = count_devices(count);
  if (!reason.empty()) fail(ErrorKind::missing_package, "device 'cuda:", options.ordinal, "': ", reason);
  if (options.ordinal >= count)
    fail(ErrorKind::missing_package, "device 'cuda:", options.ordinal, "': there ",
         count == 1 ? "is " : "are ", count, count == 1 ? " GPU, cuda:0" : " GPUs, numbered from cuda:0");
  const DeviceScope scope(options.ordinal);
  return std::make_unique<CudaBackend>(kernels, options);
}

std::vector<DeviceReport> find_devices(const KernelTable& kernels) {
  int count = 0;
  const std::string reason = count_devices(count);
  if (!reason.empty()) return {{"cuda", false, reason}};
  std::vector<DeviceReport> found;
  for (int ordinal = 0; ordinal < count; ++ordinal) {
    DeviceReport device{"cuda:" + std::to_string(ordinal), false, ""};
    try {
      device.description = make_backend(kernels, {.ordinal = ordinal})->describe();
      device.usable = true;
    } catch (const std::exception& e) {
      device.description = e.what();
    }
    found.push_back(std::move(device));
  }
  return found;
}

}  // namespace inocula::cuda
