// Magic, digest of the identity, then records: bytes of the content in hexadecimal, digest of the name,
// digest of both and the content, content.
#include "io/record_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <system_error>

#include "engine/error.h"
#include "io/digest.h"

namespace inocula {

namespace {

constexpr std::string_view kRecordMagic = "inocula records 1\n";
constexpr std::size_t kDigits = 32, kLength = 16;
constexpr std::size_t kHead = kLength + 2 * kDigits;

std::string system_reason() {
  return std::generic_category().message(errno);
}

/// Whether all of it is there.
bool read_whole(int descriptor, std::uint64_t at, std::size_t bytes, std::string& to) {
  to.resize(bytes);
  std::size_t done = 0;
  while (done < bytes) {
    const ssize_t got = ::pread(descriptor, to.data() + done, bytes - done, static_cast<off_t>(at + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    done += static_cast<std::size_t>(got);
  }
  return true;
}

bool write_whole(int descriptor, std::uint64_t at, std::string_view bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t put =
        ::pwrite(descriptor, bytes.data() + done, bytes.size() - done, static_cast<off_t>(at + done));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    done += static_cast<std::size_t>(put);
  }
  return true;
}

std::string length_of(std::string_view content) {
  char text[kLength + 1];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(content.size()));
  return text;
}

std::string checked(std::string_view length, std::string_view name, std::string_view content) {
  Xxh3Digest digest;
  for (const std::string_view part : {length, name, content}) digest.add(part.data(), part.size());
  return digest.hex();
}

}  // namespace

RecordFile::RecordFile(const std::string& path, Begin begin, std::string_view identity) : path_(path) {
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor_ < 0)
    fail(ErrorKind::cannot_create, path, ": cannot be opened for writing: ", system_reason());
  try {
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
      fail(ErrorKind::cannot_create, path, ": another process is writing it");
    const std::string head = std::string(kRecordMagic) + xxh3_128(identity) + '\n';
    read(head);
    std::string found;
    const bool same = end_ != 0 && read_whole(descriptor_, 0, head.size(), found) && found == head;
    if (end_ == 0 || begin == Begin::anew || (begin == Begin::where_same && !same)) {
      places_.clear();
      end_ = head.size();
      if (::ftruncate(descriptor_, 0) != 0 || !write_whole(descriptor_, 0, head))
        fail(ErrorKind::io, path, ": writing failed at offset 0: ", system_reason());
    } else {
      if (!same)
        fail(ErrorKind::config, path,
             ": was left by another computation, expected the same model, data, device, threads, arithmetic "
             "and "
             "constraints; without --resume it begins anew");
      // What the last process did not finish.
      if (::ftruncate(descriptor_, static_cast<off_t>(end_)) != 0)
        fail(ErrorKind::io, path, ": cannot be cut at offset ", end_, ": ", system_reason());
    }
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

RecordFile::~RecordFile() {
  // While it is still locked; after remove() the name may be another process's.
  if (places_.empty() && !removed_) (void)!::unlink(path_.c_str());
  ::close(descriptor_);
}

/// Finds the whole records. Leaves end_ at 0 for an empty file.
void RecordFile::read(const std::string& head) {
  struct stat status = {};
  if (::fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode))
    fail(ErrorKind::cannot_create, path_, ": is not a regular file");
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size == 0) return;
  std::string magic;
  const auto there = std::min<std::uint64_t>(size, kRecordMagic.size());
  if (!read_whole(descriptor_, 0, static_cast<std::size_t>(there), magic) ||
      magic != kRecordMagic.substr(0, magic.size()))
    fail(ErrorKind::bad_data, path_,
         ": holds something else, expected no file or what an interrupted run left");
  end_ = head.size();
  if (size < end_) end_ = 0;  // killed while it began
  std::string record;
  while (end_ != 0 && size - end_ >= kHead && read_whole(descriptor_, end_, kHead, record)) {
    std::uint64_t bytes = 0;
    const char* const last = record.data() + kLength;
    const auto [stopped, error] = std::from_chars(record.data(), last, bytes, 16);
    if (error != std::errc{} || stopped != last || bytes > size - end_ - kHead) break;
    places_[record.substr(kLength, kDigits)] = {end_ + kHead, bytes};
    end_ += kHead + bytes;
  }
}

std::optional<std::string> RecordFile::find(std::string_view name) const {
  const std::string key = xxh3_128(name);
  const auto place = places_.find(key);
  if (place == places_.end()) return std::nullopt;
  const auto [begin, bytes] = place->second;
  std::string head, content;
  if (!read_whole(descriptor_, begin - kHead, kHead, head) ||
      !read_whole(descriptor_, begin, static_cast<std::size_t>(bytes), content))
    fail(ErrorKind::io, path_, ": reading failed at offset ", begin);
  if (head.substr(kLength + kDigits) != checked(head.substr(0, kLength), key, content)) return std::nullopt;
  return content;
}

void RecordFile::add(std::string_view name, std::string_view content) {
  const std::string key = xxh3_128(name), length = length_of(content);
  std::string record = length + key + checked(length, key, content);
  record += content;
  if (!write_whole(descriptor_, end_, record)) {
    const std::string why = system_reason();
    (void)!::ftruncate(descriptor_, static_cast<off_t>(end_));
    fail(ErrorKind::io, path_, ": writing failed at offset ", end_, ": ", why);
  }
  places_[key] = {end_ + kHead, content.size()};
  end_ += record.size();
}

void RecordFile::remove() {
  if (::unlink(path_.c_str()) != 0) fail(ErrorKind::io, path_, ": cannot be removed: ", system_reason());
  removed_ = true;
}

}  // namespace inocula
