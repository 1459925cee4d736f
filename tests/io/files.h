// What the io tests share: a folder that vanishes, files from bytes, failures as values, a disk that is full.
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/error.h"

namespace inocula {

class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }
  /// Names in it, sorted.
  std::vector<std::string> names() const;

 private:
  std::string path_;
};

void put_file(const std::string& path, const std::string& bytes);
std::string get_file(const std::string& path);

/// A number below n: a function of its place in a test.
std::uint32_t pick(std::uint32_t test, std::uint32_t index, std::uint32_t n);

struct Failure {
  ErrorKind kind;
  std::string text;
};

/// How `action` fails; none when it does not.
std::optional<Failure> failure_of(const std::function<void()>& action);

/// While it lives, no file may grow beyond `bytes`: writes fail as on a full disk.
class FullDisk {
 public:
  explicit FullDisk(std::uint64_t bytes);
  ~FullDisk();
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  std::uint64_t before_;
  void (*handler_)(int);
};

/// What a member's headers say instead of the truth.
struct ZipLie {
  std::optional<std::uint32_t> size = {}, compressed_size = {}, crc = {};
  std::uint16_t method = 0, flags = 0;
};

/// A zip archive put together by hand, so that its headers can lie.
class ZipBuilder {
 public:
  /// A stored member; stored whatever `lie` says.
  ZipBuilder& add(const std::string& name, const std::string& content, const ZipLie& lie = {});
  std::string finish() const;

 private:
  std::string local_, central_;
  std::uint16_t count_ = 0;
};

/// An .npy file, version 1.0, with this header text.
std::string npy_file(const std::string& header, const std::string& values, int version = 1);

}  // namespace inocula

/// The expression fails with this kind and one line that contains this text.
#define CHECK_FAILS(expected_kind, part, expression)                             \
  do {                                                                           \
    const auto failure = inocula::failure_of([&] { (void)(expression); });       \
    REQUIRE_MESSAGE(failure.has_value(), "did not fail: " #expression);          \
    CHECK_MESSAGE(failure->kind == (expected_kind), failure->text);              \
    CHECK_MESSAGE(failure->text.find(part) != std::string::npos, failure->text); \
    CHECK_MESSAGE(failure->text.find('\n') == std::string::npos, failure->text); \
  } while (false)
