// Reading and writing .npz through libzip, with our own limits before any memory is taken.
#include "io/npz.h"

#include <unistd.h>
#include <zip.h>

#include <algorithm>
#include <exception>
#include <map>

#include "io/atomic_file.h"
#include "io/input_file.h"
#include "io/npy.h"

namespace inocula {
namespace {

constexpr zip_int64_t kMaxMembers = 64;
constexpr std::uint64_t kMaxRatio = 1100;
constexpr std::uint64_t kLocalHeaderBytes = 30;

struct ZipClose {
  void operator()(zip_t* archive) const { zip_discard(archive); }
  void operator()(zip_file_t* member) const { zip_fclose(member); }
};

std::string zip_reason(int code) {
  zip_error_t error;
  zip_error_init_with_code(&error, code);
  std::string text = zip_error_strerror(&error);
  zip_error_fini(&error);
  return text;
}

struct Member {
  zip_uint64_t index = 0;
  std::uint64_t bytes = 0;
};

class NpzFile final : public ArrayFile {
 public:
  explicit NpzFile(const std::string& path) : path_(path) {
    InputFile file(path);
    const std::uint64_t file_bytes = file.size();
    const int descriptor = file.release();
    int code = 0;
    archive_.reset(zip_fdopen(descriptor, ZIP_CHECKCONS | ZIP_RDONLY, &code));
    if (!archive_) {
      ::close(descriptor);
      fail(ErrorKind::bad_data, path, ": is not a sound zip archive: ", zip_reason(code));
    }
    list_members(file_bytes);
  }

  const std::vector<std::string>& names() const override { return names_; }

  Array read(const std::string& name) override {
    const std::string where = path_ + ": " + name;
    const auto found = members_.find(name);
    if (found == members_.end()) fail(ErrorKind::bad_data, path_, ": has no array '", name, "'");
    const std::unique_ptr<zip_file_t, ZipClose> member(
        zip_fopen_index(archive_.get(), found->second.index, 0));
    if (!member) fail(ErrorKind::bad_data, where, ": cannot be read: ", zip_strerror(archive_.get()));
    const auto read_next = [&](void* out, std::uint64_t bytes) {
      auto* to = static_cast<std::uint8_t*>(out);
      while (bytes > 0) {
        const zip_int64_t got = zip_fread(member.get(), to, bytes);
        if (got < 0) fail(ErrorKind::bad_data, where, ": damaged: ", zip_file_strerror(member.get()));
        if (got == 0) fail(ErrorKind::bad_data, where, ": ends ", bytes, " bytes before its declared size");
        to += got;
        bytes -= static_cast<std::uint64_t>(got);
      }
    };
    Array array = read_npy(read_next, found->second.bytes, where);
    // Only the read that meets the end compares the checksum.
    std::uint8_t beyond = 0;
    const zip_int64_t rest = zip_fread(member.get(), &beyond, 1);
    if (rest < 0) fail(ErrorKind::bad_data, where, ": damaged: ", zip_file_strerror(member.get()));
    if (rest > 0) fail(ErrorKind::bad_data, where, ": holds more than its declared size");
    return array;
  }

 private:
  void list_members(std::uint64_t file_bytes) {
    const zip_int64_t count = zip_get_num_entries(archive_.get(), 0);
    if (count > kMaxMembers) {
      fail(ErrorKind::bad_data, path_, ": has ", count, " members, expected at most ", kMaxMembers);
    }
    std::uint64_t claimed = 0;
    for (zip_int64_t index = 0; index < count; ++index) {
      zip_stat_t status;
      constexpr zip_uint64_t kNeeded = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE |
                                       ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
      if (zip_stat_index(archive_.get(), static_cast<zip_uint64_t>(index), ZIP_FL_ENC_RAW, &status) != 0 ||
          (status.valid & kNeeded) != kNeeded) {
        fail(ErrorKind::bad_data, path_, ": member ", index,
             " is not described: ", zip_strerror(archive_.get()));
      }
      std::string name = status.name;
      const std::string where = path_ + ": member " + std::to_string(index);
      if (status.encryption_method != ZIP_EM_NONE) fail(ErrorKind::bad_data, where, ": is encrypted");
      if (status.comp_method != ZIP_CM_STORE && status.comp_method != ZIP_CM_DEFLATE) {
        fail(ErrorKind::bad_data, where, ": has compression method ", status.comp_method,
             ", expected stored or deflated");
      }
      if (status.size / kMaxRatio > status.comp_size) {
        fail(ErrorKind::bad_data, where, ": claims ", status.size, " bytes out of ", status.comp_size,
             " compressed ones, more than ", kMaxRatio, " times");
      }
      if (__builtin_add_overflow(claimed, status.comp_size + kLocalHeaderBytes, &claimed) ||
          status.comp_size > file_bytes || claimed > file_bytes) {
        fail(ErrorKind::bad_data, where, ": the members claim more than the file's ", file_bytes, " bytes");
      }
      if (name.size() > 4 && name.ends_with(".npy")) name.resize(name.size() - 4);
      if (!members_.emplace(name, Member{static_cast<zip_uint64_t>(index), status.size}).second) {
        fail(ErrorKind::bad_data, where, ": has the same name as an earlier one");
      }
      names_.push_back(name);
    }
  }

  std::string path_;
  std::unique_ptr<zip_t, ZipClose> archive_;
  std::map<std::string, Member> members_;
  std::vector<std::string> names_;
};

/// What libzip writes to: our atomic file, behind its callback. Exceptions wait here until libzip has
/// returned.
struct Target {
  AtomicFile file;
  std::uint64_t end = 0;  // libzip seeks back to complete a header, then to the end again
  zip_error_t error;
  std::exception_ptr failure;
};

zip_int64_t serve(void* state, void* data, zip_uint64_t length, zip_source_cmd_t command) {
  auto* target = static_cast<Target*>(state);
  switch (command) {
    case ZIP_SOURCE_SUPPORTS:
      return zip_source_make_command_bitmap(
          ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE, ZIP_SOURCE_STAT, ZIP_SOURCE_ERROR,
          ZIP_SOURCE_FREE, ZIP_SOURCE_SEEK, ZIP_SOURCE_TELL, ZIP_SOURCE_BEGIN_WRITE, ZIP_SOURCE_COMMIT_WRITE,
          ZIP_SOURCE_ROLLBACK_WRITE, ZIP_SOURCE_WRITE, ZIP_SOURCE_SEEK_WRITE, ZIP_SOURCE_TELL_WRITE,
          ZIP_SOURCE_REMOVE, -1);
    case ZIP_SOURCE_STAT:  // nothing there yet: a new archive
      zip_stat_init(static_cast<zip_stat_t*>(data));
      static_cast<zip_stat_t*>(data)->valid = ZIP_STAT_SIZE;
      static_cast<zip_stat_t*>(data)->size = 0;
      return sizeof(zip_stat_t);
    case ZIP_SOURCE_ERROR:
      return zip_error_to_data(&target->error, data, length);
    case ZIP_SOURCE_WRITE:
      try {
        target->file.write(data, length);
        target->end = std::max(target->end, target->file.position());
      } catch (...) {
        target->failure = std::current_exception();
        zip_error_set(&target->error, ZIP_ER_WRITE, 0);
        return -1;
      }
      return static_cast<zip_int64_t>(length);
    case ZIP_SOURCE_SEEK_WRITE: {
      const zip_int64_t to =
          zip_source_seek_compute_offset(target->file.position(), target->end, data, length, &target->error);
      if (to < 0) return -1;
      target->file.seek(static_cast<std::uint64_t>(to));
      return 0;
    }
    case ZIP_SOURCE_TELL_WRITE:
      return static_cast<zip_int64_t>(target->file.position());
    default:
      return 0;
  }
}

}  // namespace

std::unique_ptr<ArrayFile> open_npz(const std::string& path) {
  return std::make_unique<NpzFile>(path);
}

void write_npz(const std::string& path, const ArrayViews& arrays) {
  Target target{AtomicFile(path), 0, {}, nullptr};
  zip_error_init(&target.error);
  const auto broken = [&](const char* what) {
    if (target.failure) std::rethrow_exception(target.failure);
    fail(ErrorKind::io, path, ": writing failed: ", what);
  };
  zip_source_t* sink = zip_source_function_create(serve, &target, &target.error);
  std::unique_ptr<zip_t, ZipClose> archive;
  if (sink != nullptr) archive.reset(zip_open_from_source(sink, ZIP_TRUNCATE, &target.error));
  if (!archive) {
    zip_source_free(sink);
    broken(zip_error_strerror(&target.error));
  }
  std::map<std::string, std::string> headers;  // libzip reads them when the archive is closed
  for (const auto& [name, view] : arrays) {
    const std::string& header = headers[name] = npy_header(view);
    // libzip's type is not const, but it only reads.
    zip_buffer_fragment_t parts[] = {
        {reinterpret_cast<zip_uint8_t*>(const_cast<char*>(header.data())), header.size()},
        {const_cast<zip_uint8_t*>(view.bytes.data()), view.bytes.size()}};
    zip_source_t* source = zip_source_buffer_fragment(archive.get(), parts, view.bytes.empty() ? 1 : 2, 0);
    const zip_int64_t index =
        source == nullptr ? -1
                          : zip_file_add(archive.get(), (name + ".npy").c_str(), source, ZIP_FL_ENC_UTF_8);
    if (index < 0) {
      zip_source_free(source);
      broken(zip_strerror(archive.get()));
    }
    const auto member = static_cast<zip_uint64_t>(index);
    constexpr zip_uint16_t kTime = 0, kDate = (1 << 5) | 1;  // 1 January 1980, the first day zip knows
    if (zip_set_file_compression(archive.get(), member, ZIP_CM_DEFLATE, 6) != 0 ||
        zip_file_set_dostime(archive.get(), member, kTime, kDate, 0) != 0 ||
        zip_file_set_external_attributes(archive.get(), member, 0, ZIP_OPSYS_UNIX, 0644u << 16) != 0) {
      broken(zip_strerror(archive.get()));
    }
  }
  if (zip_close(archive.get()) != 0) broken(zip_strerror(archive.get()));
  (void)archive.release();  // closed
  target.file.commit();
}

}  // namespace inocula
