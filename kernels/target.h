// Names the target a kernel source is being compiled for, and marks functions that run there.
//
// Every kernels/*.inl is compiled once per target (CMake writes the one-line stubs): by g++ for three
// instruction sets of the CPU and by nvcc for the GPU. All code that a kernel executes lives in the inline
// namespace of its target, so that the linker can never replace a function compiled for one instruction
// set by its twin compiled for another. Host code that includes these headers gets the target `host`.
#pragma once

// INOCULA_CUDA switches a kernel's CUDA branches on: under nvcc, and where g++ is told to compile them over
// the emulation of CUDA in tests/kernels.
#if defined(__CUDACC__) && !defined(INOCULA_CUDA)
#define INOCULA_CUDA
#endif

// INOCULA_DEVICE marks a kernel's body, INOCULA_HD a function that the host calls too, INOCULA_SHARED a local
// variable that all members of a team see.
#if defined(INOCULA_CUDA)
#define INOCULA_SHARED __shared__
#define INOCULA_HD __host__ __device__
#define INOCULA_DEVICE __device__
#else
#define INOCULA_SHARED
#define INOCULA_HD
#define INOCULA_DEVICE
#endif

#if !defined(INOCULA_TARGET)
#define INOCULA_TARGET host
#endif

#define INOCULA_BEGIN_TARGET \
  namespace inocula {        \
  inline namespace INOCULA_TARGET {
#define INOCULA_END_TARGET \
  }                        \
  }
