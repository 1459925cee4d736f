// A kernel's arguments with each array that they point to moved to device memory of its exact size.
//
// On page-locked memory of the host compute-sanitizer sees no overrun from one array into its neighbour in a
// pool; around an allocation of its own it sees the first byte.
#pragma once

#include <cstddef>
#include <cstring>
#include <type_traits>
#include <vector>

namespace inocula::test {

/// Tells of memory that arguments may point into. Called by operator new and delete, and must not call them.
void note_array(void* begin, std::size_t bytes);
void forget_array(void* begin);

class DeviceCopies {
 public:
  DeviceCopies() = default;
  /// Copies the arrays back and frees the device's.
  ~DeviceCopies();
  DeviceCopies(const DeviceCopies&) = delete;
  DeviceCopies& operator=(const DeviceCopies&) = delete;

  /// Every pointer in `args` that lies in a noted array, or at its end, now points to the same place of its
  /// copy.
  template <class Args>
  Args move_arrays(const Args& args) {
    static_assert(std::is_trivially_copyable_v<Args>);
    Args moved = args;
    __builtin_clear_padding(&moved);  // what lies there may be an address of before
    for (std::size_t at = 0; at + sizeof(void*) <= sizeof moved; at += alignof(void*)) {
      void* word = nullptr;
      std::memcpy(&word, reinterpret_cast<const std::byte*>(&moved) + at, sizeof word);
      word = copy_of(word);
      std::memcpy(reinterpret_cast<std::byte*>(&moved) + at, &word, sizeof word);
    }
    return moved;
  }

 private:
  struct Copy {
    std::byte *host = nullptr, *device = nullptr;
    std::size_t bytes = 0;
  };
  void* copy_of(void* address);

  std::vector<Copy> copies_;
};

}  // namespace inocula::test
