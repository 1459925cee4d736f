// Folders, bytes, failures and hand-made zip archives for the io tests.
#include "tests/io/files.h"

#include <sys/resource.h>
#include <zlib.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "kernels/draw.h"

namespace inocula {
namespace {

std::string little_endian(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i, value >>= 8) text += static_cast<char>(value);
  return text;
}

}  // namespace

TempFolder::TempFolder() {
  std::string path = (std::filesystem::temp_directory_path() / "inocula_test_XXXXXX").string();
  REQUIRE(::mkdtemp(path.data()) != nullptr);
  path_ = path;
}

TempFolder::~TempFolder() {
  std::filesystem::remove_all(path_);
}

std::vector<std::string> TempFolder::names() const {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(path_)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

void put_file(const std::string& path, const std::string& bytes) {
  std::filesystem::remove(path);  // a file that is cut to nothing and rewritten, ext4 flushes to the disk
  std::ofstream(path, std::ios::binary) << bytes;
}

std::string get_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::uint32_t pick(std::uint32_t test, std::uint32_t index, std::uint32_t n) {
  return uniform_below(draw(7, Draw::shuffle, 0, test, index, 0), n);
}

std::optional<Failure> failure_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return Failure{error.kind(), error.what()};
  }
  return std::nullopt;
}

FullDisk::FullDisk(std::uint64_t bytes) {
  rlimit limit{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &limit) == 0);
  before_ = limit.rlim_cur;
  limit.rlim_cur = bytes;
  handler_ = std::signal(SIGXFSZ, SIG_IGN);
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

FullDisk::~FullDisk() {
  rlimit limit{};
  ::getrlimit(RLIMIT_FSIZE, &limit);
  limit.rlim_cur = before_;
  ::setrlimit(RLIMIT_FSIZE, &limit);
  std::signal(SIGXFSZ, handler_);
}

ZipBuilder& ZipBuilder::add(const std::string& name, const std::string& content, const ZipLie& lie) {
  const auto true_crc = static_cast<std::uint32_t>(
      ::crc32(0, reinterpret_cast<const Bytef*>(content.data()), static_cast<uInt>(content.size())));
  const std::uint64_t offset = local_.size();
  const std::string common = little_endian(20, 2) + little_endian(lie.flags, 2) +
                             little_endian(lie.method, 2) + little_endian(0x00210000, 4) +
                             little_endian(lie.crc.value_or(true_crc), 4) +
                             little_endian(lie.compressed_size.value_or(content.size()), 4) +
                             little_endian(lie.size.value_or(content.size()), 4) +
                             little_endian(name.size(), 2) + little_endian(0, 2);
  local_ += "PK\3\4" + common + name + content;
  central_ +=
      "PK\1\2" + little_endian(20, 2) + common + little_endian(0, 10) + little_endian(offset, 4) + name;
  ++count_;
  return *this;
}

std::string ZipBuilder::finish() const {
  return local_ + central_ + "PK\5\6" + little_endian(0, 4) + little_endian(count_, 2) +
         little_endian(count_, 2) + little_endian(central_.size(), 4) + little_endian(local_.size(), 4) +
         little_endian(0, 2);
}

std::string npy_file(const std::string& header, const std::string& values, int version) {
  return "\x93NUMPY" + std::string{static_cast<char>(version), '\0'} +
         little_endian(header.size(), version == 1 ? 2 : 4) + header + values;
}

}  // namespace inocula
