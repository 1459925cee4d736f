// A replacement of the global operator new that counts while it is asked to.
#include "tests/engine/allocations.h"

#include <dlfcn.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>

namespace inocula::test {

namespace {

std::atomic<bool> counting{false};
std::atomic<std::int64_t> ours{0}, onednn{0};

}  // namespace

bool can_count_allocations() {
#if defined(__SANITIZE_ADDRESS__)
  return false;
#else
  return true;
#endif
}

AllocationCounter::AllocationCounter() {
  ours = onednn = 0;
  counting = true;
}

AllocationCounter::~AllocationCounter() {
  counting = false;
}

Allocations AllocationCounter::stop() {
  counting = false;
  return {ours, onednn};
}

/// `caller` is an address inside the function that called operator new.
void count_allocation(void* caller) {
  if (!counting) return;
  Dl_info info;
  const bool vendor = dladdr(caller, &info) != 0 && info.dli_fname != nullptr &&
                      std::strstr(info.dli_fname, "dnnl") != nullptr;
  (vendor ? onednn : ours) += 1;
}

}  // namespace inocula::test

#if !defined(__SANITIZE_ADDRESS__)

// The forms without alignment are enough: nothing in the engine's loop may call any.
void* operator new(std::size_t bytes) {
  inocula::test::count_allocation(__builtin_return_address(0));
  void* const memory = std::malloc(bytes > 0 ? bytes : 1);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void* operator new[](std::size_t bytes) {
  inocula::test::count_allocation(__builtin_return_address(0));
  void* const memory = std::malloc(bytes > 0 ? bytes : 1);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}

#endif
