// Writing down the steps of a Program: which kernels run, in which order, on which tensors.
//
// Nothing computes while recording. Each step is given as a function that names its operands through
// Access; the recorder calls it once to learn what the step reads and writes, and once more, when memory has
// been planned, to bind the addresses. So what a step uses cannot differ from what it says it uses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/device.h"
#include "engine/plan.h"
#include "engine/program.h"
#include "engine/tensor.h"
#include "kernels/planes.h"

namespace inocula {

/// Answers addresses of tensors: null while a step is recorded, real ones when it is bound. T is what the
/// tensor holds; void for activations, whose element PlaneShape or ConvGeometry names.
class Access {
 public:
  /// Read only. A missing tensor (id -1) is a null pointer.
  template <class T = float>
  const T* in(const Tensor& t) {
    return static_cast<const T*>(touch(t, Touch::read));
  }
  /// Written entirely; earlier contents are lost.
  template <class T = float>
  T* out(const Tensor& t) {
    return static_cast<T*>(touch(t, Touch::write));
  }
  /// Read and written.
  template <class T = float>
  T* inout(const Tensor& t) {
    return static_cast<T*>(touch(t, Touch::update));
  }
  /// Memory for this step alone; at most one piece a step.
  template <class T = void>
  T* scratch(std::size_t bytes) {
    return static_cast<T*>(touch_scratch(bytes));
  }

 protected:
  enum class Touch { read, write, update };
  Access() = default;
  ~Access() = default;
  virtual void* touch(const Tensor& t, Touch how) = 0;
  virtual void* touch_scratch(std::size_t bytes) = 0;
};

class Recorder {
 public:
  explicit Recorder(const Device& device);

  const Device& device() const { return device_; }
  const KernelTable& kernels() const { return device_.kernels(); }

  /// A tensor whose memory the Program plans; alive from its first write to its last read.
  Tensor make(std::string name, Shape shape, DType dtype = DType::f32, Layout layout = Layout::plain);
  /// A tensor in memory that others own and that outlives the Program.
  Tensor external(std::string name, void* memory, Shape shape, DType dtype = DType::f32,
                  Layout layout = Layout::plain);
  /// Some images of a tensor, in the tensor's own memory: whoever writes them writes the tensor, which is
  /// whole once every part of it is written. Throws Error (internal) where they are not there, or begin
  /// inside a byte of bits.
  Tensor part(const Tensor& whole, std::int64_t first_image, std::int64_t images) const;
  /// How an activation lies in memory.
  PlaneShape planes(const Tensor& t) const;

  /// One launch of a kernel: kernel("affine", kernels().affine, [=](Access& at) { return Affine{…}; }).
  template <class Args, class Make>
  void kernel(const std::string& name, void (*function)(const Queue&, const Args&), Make make) {
    step(name, [function, make](Access& at) -> Launch {
      const Args args = make(at);
      return [function, args](const Queue& queue) { function(queue, args); };
    });
  }
  /// What `make` records from `source` alone. Asked again with the same key for the same memory, the first
  /// answer is given again, unless a step recorded in between writes there. Inside a loop it is always made
  /// anew.
  Tensor derive(const std::string& key, const Tensor& source, const std::function<Tensor()>& make);
  /// The values of one f32 or bf16 tensor into another of its shape, type and layout.
  void copy(const std::string& name, const Tensor& from, const Tensor& to);
  /// One pass of a convolution.
  void conv(const std::string& name, std::shared_ptr<PreparedConv> conv,
            std::function<ConvOperands(Access&)> operands);
  /// Any other step. `bind` is called while recording too, with null addresses: it must only store them.
  void step(const std::string& name, std::function<Launch(Access&)> bind);

  /// Records `body` once and runs it `count` times. What the body carries from one turn to the next must have
  /// been written before the loop. With `done`, a carried i32 tensor, turns may be left out once none of its
  /// numbers is 0: the body must change nothing from there on that is read after the loop.
  void loop(std::int64_t count, const std::function<void()>& body, const Tensor& done = {});

  /// The next step begins such a pass: Program::passes counts it.
  void begin_pass(WholePass pass) { beginning_ = pass; }

  /// Marks what `body` records as depending on parameters alone: see Preparation.
  void preparation(const std::function<void()>& body);

  /// What was recorded so far: how many steps, what each touches, and what a tensor is.
  std::size_t step_count() const { return steps_.size(); }
  const StepUse& use(std::size_t step) const { return steps_[step].use; }
  const PlannedTensor& tensor(std::int32_t id) const { return tensors_[static_cast<std::size_t>(id)]; }

  /// The Program will keep this alive: for what launches refer to beyond tensors.
  void keep(std::shared_ptr<const void> owned) { kept_.push_back(std::move(owned)); }

  /// What finish would allocate.
  std::size_t planned_bytes(Preparation preparation);
  /// Plans memory, allocates it in one piece, binds every step. The recorder is spent afterwards.
  /// With Preparation::kept what was prepared stays in memory from run to run.
  Program finish(Preparation preparation = Preparation::repeated);

 private:
  MemoryPlan plan(Preparation preparation);
  Program::LoopEnd end_of(const LoopRange& loop, Program& program) const;
  std::size_t bytes_of(const Tensor& t) const;
  /// Where an external tensor lies; null for a planned one.
  const std::byte* memory_of(const Tensor& t) const;
  /// Whether a step from this one on writes where an external tensor lies.
  bool written_since(std::size_t step, const Tensor& external) const;

  struct Derived {
    Tensor tensor;
    std::size_t step = 0;  ///< how many steps there were when it had been made
  };
  struct Step {
    std::string name;
    std::function<Launch(Access&)> bind;
    StepUse use;
    bool prepares = false;
    WholePass begins = WholePass::none;
  };

  const Device& device_;
  bool preparing_ = false;
  WholePass beginning_ = WholePass::none;
  int open_loops_ = 0;
  std::vector<PlannedTensor> tensors_;
  std::vector<void*> external_;  ///< by tensor id; null where memory is planned
  std::vector<std::size_t> external_bytes_;
  std::map<std::pair<const void*, std::string>, Derived> derived_;
  std::vector<Step> steps_;
  std::vector<LoopRange> loops_;
  std::vector<std::shared_ptr<const void>> kept_;
};

}  // namespace inocula
