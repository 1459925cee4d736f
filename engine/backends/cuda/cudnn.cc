// cuDNN through its C++ front end: graphs of one convolution each, planned once for a shape.
#include "engine/backends/cuda/cudnn.h"

#include <cudnn_frontend.h>
#include <dlfcn.h>

#include <array>
#include <exception>
#include <limits>
#include <mutex>
#include <vector>

#include "engine/error.h"

// The front end looks functions up in this library.
void* cudnn_frontend::cudnn_dlhandle = nullptr;

namespace inocula::cuda {

namespace fe = cudnn_frontend;

namespace {

constexpr std::size_t kOldestVersion = 90000;
/// A plan that wants more scratch than this would crowd out the batch: it is taken only where there is no
/// other.
constexpr std::int64_t kMostWorkspace = std::int64_t{512} << 20;

std::string version_text(std::size_t version) {
  return std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
         std::to_string(version % 100);
}

void load_library_once() {
  // The loader's own path first, then where the library was when this was built.
  for (const char* name : {"libcudnn.so.9", INOCULA_CUDNN_FOLDER "/libcudnn.so.9"})
    if (fe::cudnn_dlhandle == nullptr) fe::cudnn_dlhandle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (fe::cudnn_dlhandle == nullptr) {
    const char* why = dlerror();
    fail(ErrorKind::missing_package, "cuDNN 9 cannot be loaded: ", why != nullptr ? why : "libcudnn.so.9");
  }
  if (fe::detail::get_backend_version() < kOldestVersion)
    fail(ErrorKind::missing_package, "cuDNN is ", version_text(fe::detail::get_backend_version()),
         ", expected at least ", version_text(kOldestVersion));
}

/// Devices may be opened by several threads; after a failure the next one tries again.
void load_library() {
  static std::once_flag loaded;
  std::call_once(loaded, load_library_once);
}

void require(const fe::error_t& status, const ConvProblem& problem, const char* call) {
  if (status.is_bad())
    fail(ErrorKind::internal, "cuDNN: ", call, " for ", problem.to_string(), ": ", status.err_msg);
}

/// The front end throws where it finds no function or library; what leaves this file is an Error.
template <class Work>
auto reporting(const std::string& what, const Work& work) {
  try {
    return work();
  } catch (const Error&) {
    throw;
  } catch (const std::exception& e) {
    fail(ErrorKind::internal, "cuDNN: ", what, ": ", e.what());
  }
}

/// The front end says so where a graph is sound but no engine runs it.
bool is_unsupported(const fe::error_t& status) {
  switch (status.code) {
    case fe::error_code_t::GRAPH_NOT_SUPPORTED:
    case fe::error_code_t::GRAPH_EXECUTION_PLAN_CREATION_FAILED:
    case fe::error_code_t::HEURISTIC_QUERY_FAILED:
      return true;
    default:
      return false;
  }
}

/// Names of a graph's tensors, in the order in which a plan takes their addresses.
enum Uid : std::int64_t { kX = 1, kWeights, kBias, kResidual, kY, kDy, kDx, kDw };
constexpr std::size_t kMostAddresses = 8;

using TensorPtr = std::shared_ptr<fe::graph::Tensor_attributes>;

fe::DataType_t data_type(Element element) {
  return element == Element::bf16 ? fe::DataType_t::BFLOAT16 : fe::DataType_t::FLOAT;
}

/// A channels-last array (n, c, h, w).
fe::graph::Tensor_attributes channels_last(Uid uid, std::int64_t n, std::int64_t c, std::int64_t h,
                                           std::int64_t w, fe::DataType_t type) {
  return fe::graph::Tensor_attributes()
      .set_uid(uid)
      .set_dim({n, c, h, w})
      .set_stride({c * h * w, 1, c * w, c})
      .set_data_type(type);
}
fe::graph::Tensor_attributes channels_last(Uid uid, const Shape& s, fe::DataType_t type) {
  return channels_last(uid, s.n, s.c, s.h, s.w, type);
}

/// A graph's result takes the description of `like`.
void describe_result(const TensorPtr& result, const fe::graph::Tensor_attributes& like) {
  result->set_output(true)
      .set_uid(like.get_uid())
      .set_dim(like.get_dim())
      .set_stride(like.get_stride())
      .set_data_type(like.get_data_type());
}

class CudnnPlan final : public Cudnn::Plan {
 public:
  CudnnPlan(cudnnHandle_t handle, const ConvProblem& problem) : handle_(handle), problem_(problem) {
    const auto type = data_type(problem.element);
    graph_.set_io_data_type(type)
        .set_intermediate_data_type(fe::DataType_t::FLOAT)
        .set_compute_data_type(fe::DataType_t::FLOAT);
    switch (problem.pass) {
      case ConvPass::forward:
        build_forward(type);
        break;
      case ConvPass::backward_data:
        build_backward_data(type);
        break;
      case ConvPass::backward_weights:
        build_backward_weights(type);
        break;
    }
  }

  /// False where no engine does it within `most_workspace` bytes of scratch.
  bool choose(std::shared_ptr<const fe::DeviceProperties> hardware, int compute_capability,
              const Admission& admission, std::int64_t most_workspace) {
    // Else the front end asks a runtime library of its own.
    graph_.set_sm_version(compute_capability);
    if (hardware) graph_.set_device_properties(std::move(hardware));
    // The Program outlives its graph and keeps this plan; the front end would load a runtime library of its
    // own to keep it too.
    graph_.set_cuda_graph_retention(fe::CudaGraphRetention_t::NONE);
    if (refuses(graph_.validate(), "validate")) return false;
    if (refuses(graph_.build_operation_graph(handle_), "build_operation_graph")) return false;
    if (refuses(graph_.create_execution_plans({fe::HeurMode_t::A, fe::HeurMode_t::FALLBACK}),
                "create_execution_plans"))
      return false;

    std::vector<fe::NumericalNote_t> refused{fe::NumericalNote_t::REDUCED_PRECISION_REDUCTION};
    if (admission.determinism == Determinism::reproducible)
      refused.push_back(fe::NumericalNote_t::NONDETERMINISTIC);
    if (problem_.element == Element::f32) {
      refused.push_back(fe::NumericalNote_t::DOWN_CONVERT_INPUTS);
      // On floats a tensor core multiplies in TF32.
      if (!admission.tf32) refused.push_back(fe::NumericalNote_t::TENSOR_CORE);
    }
    graph_.deselect_numeric_notes(refused);
    graph_.deselect_workspace_greater_than(most_workspace);
    if (refuses(graph_.check_support(), "check_support")) return false;
    return !refuses(graph_.build_plans(fe::BuildPlanPolicy_t::HEURISTICS_CHOICE), "build_plans");
  }

  std::size_t workspace_bytes() const override {
    return static_cast<std::size_t>(graph_.get_workspace_size());
  }
  std::string name() const override {
    std::string name;
    require(graph_.get_plan_name(name), problem_, "get_plan_name");
    return name;
  }

  void execute(const ConvAddresses& at, void* workspace) override {
    std::array<void*, kMostAddresses> addresses{};
    int count = 0;
    // By rising Uid.
    for (const void* address : {at.x, at.weights, at.bias, at.residual, static_cast<const void*>(at.y), at.dy,
                                static_cast<const void*>(at.dx), static_cast<const void*>(at.dw)})
      if (address != nullptr) addresses.at(static_cast<std::size_t>(count++)) = const_cast<void*>(address);
    reporting(problem_.to_string(), [&] {
      require(graph_.execute(handle_, addresses.data(), count, workspace), problem_, "execute");
    });
  }

 private:
  /// Whether cuDNN has no engine for the problem; throws for what went wrong else. Where a simpler problem
  /// does as well, whatever speaks against this one is such an answer.
  bool refuses(const fe::error_t& status, const char* call) const {
    if (is_unsupported(status) || (status.is_bad() && problem_.has_substitute())) return true;
    require(status, problem_, call);
    return false;
  }

  template <class Attributes>
  Attributes window() const {
    const ConvWindow& w = problem_.window;
    return Attributes()
        .set_padding({w.pad_h, w.pad_w})
        .set_stride({w.stride_h, w.stride_w})
        .set_dilation({w.dilation_h, w.dilation_w});
  }
  fe::graph::Tensor_attributes weights(Uid uid, fe::DataType_t type) const {
    return channels_last(uid, problem_.out.c, problem_.in.c / problem_.groups, problem_.window.kernel_h,
                         problem_.window.kernel_w, type);
  }
  TensorPtr pointwise(const TensorPtr& a, const TensorPtr& b) {
    return graph_.pointwise(a, b, fe::graph::Pointwise_attributes().set_mode(fe::PointwiseMode_t::ADD));
  }

  void build_forward(fe::DataType_t type) {
    const TensorPtr x = graph_.tensor(channels_last(kX, problem_.in, type));
    const TensorPtr w = graph_.tensor(weights(kWeights, type));
    TensorPtr y = graph_.conv_fprop(x, w, window<fe::graph::Conv_fprop_attributes>());
    if (problem_.bias)
      y = pointwise(y, graph_.tensor(channels_last(kBias, 1, problem_.out.c, 1, 1, fe::DataType_t::FLOAT)));
    if (problem_.residual) y = pointwise(y, graph_.tensor(channels_last(kResidual, problem_.out, type)));
    if (problem_.relu)
      y = graph_.pointwise(y, fe::graph::Pointwise_attributes().set_mode(fe::PointwiseMode_t::RELU_FWD));
    describe_result(y, channels_last(kY, problem_.out, type));
  }
  void build_backward_data(fe::DataType_t type) {
    const TensorPtr dy = graph_.tensor(channels_last(kDy, problem_.out, type));
    const TensorPtr w = graph_.tensor(weights(kWeights, type));
    describe_result(graph_.conv_dgrad(dy, w, window<fe::graph::Conv_dgrad_attributes>()),
                    channels_last(kDx, problem_.in, type));
  }
  void build_backward_weights(fe::DataType_t type) {
    const TensorPtr dy = graph_.tensor(channels_last(kDy, problem_.out, type));
    const TensorPtr x = graph_.tensor(channels_last(kX, problem_.in, type));
    describe_result(graph_.conv_wgrad(dy, x, window<fe::graph::Conv_wgrad_attributes>()),
                    weights(kDw, data_type(problem_.weight_gradient)));
  }

  cudnnHandle_t handle_;
  ConvProblem problem_;
  mutable fe::graph::Graph graph_;
};

class LoadedCudnn final : public Cudnn {
 public:
  LoadedCudnn(void* stream, int compute_capability) : compute_capability_(compute_capability) {
    load_library();
    reporting("opening", [&] {
      check(fe::detail::create_handle(&handle_), "cudnnCreate");
      check(fe::detail::set_stream(handle_, static_cast<cudaStream_t>(stream)), "cudnnSetStream");
      // Its first call loads a runtime library for one lookup: here rather than in a graph that is taken
      // down.
      fe::detail::has_current_context();
    });
  }
  LoadedCudnn(const std::string& properties, int compute_capability)
      : compute_capability_(compute_capability) {
    load_library();
    auto described = std::make_shared<fe::DeviceProperties>();
    const fe::error_t read = described->deserialize({properties.begin(), properties.end()});
    if (read.is_bad())
      fail(ErrorKind::missing_package, "cuDNN ", version(),
           " cannot plan for a described GPU: ", read.err_msg);
    hardware_ = std::move(described);
  }
  LoadedCudnn(const LoadedCudnn&) = delete;
  LoadedCudnn& operator=(const LoadedCudnn&) = delete;
  ~LoadedCudnn() override {
    if (handle_ != nullptr) fe::detail::destroy_handle(handle_);
  }

  std::string version() const override { return version_text(fe::detail::get_backend_version()); }

  std::unique_ptr<Plan> plan(const ConvProblem& problem, const Admission& admission) override {
    return reporting(problem.to_string(), [&]() -> std::unique_ptr<Plan> {
      for (const std::int64_t most_workspace : {kMostWorkspace, std::numeric_limits<std::int64_t>::max()}) {
        auto plan = std::make_unique<CudnnPlan>(handle_, problem);
        if (plan->choose(hardware_, compute_capability_, admission, most_workspace)) return plan;
        if (problem.has_substitute()) break;
      }
      return nullptr;
    });
  }

 private:
  static void check(cudnnStatus_t status, const char* call) {
    if (status != CUDNN_STATUS_SUCCESS)
      fail(ErrorKind::missing_package, call, ": ", fe::detail::get_error_string(status));
  }

  int compute_capability_;
  cudnnHandle_t handle_ = nullptr;
  std::shared_ptr<const fe::DeviceProperties> hardware_;  ///< null where the hardware itself is there
};

}  // namespace

std::unique_ptr<Cudnn> Cudnn::open(void* stream, int compute_capability) {
  return std::make_unique<LoadedCudnn>(stream, compute_capability);
}

std::unique_ptr<Cudnn> Cudnn::describe_hardware(const std::string& properties, int compute_capability) {
  return std::make_unique<LoadedCudnn>(properties, compute_capability);
}

}  // namespace inocula::cuda
