// Files appear whole or not at all; inputs that are no files are told apart.
#include "io/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "io/input_file.h"
#include "io/line_file.h"
#include "tests/io/files.h"

namespace inocula {
namespace {

TEST_CASE("atomic file: nothing under the name before the commit, the whole after it") {
  const TempFolder folder;
  {
    AtomicFile file(folder / "a");
    file.write("hello", 5);
    file.seek(1);
    file.write("a", 1);
    CHECK_FALSE(std::filesystem::exists(folder / "a"));
    REQUIRE(folder.names().size() == 1);
    CHECK(is_temporary_name(folder.names()[0]));
    file.commit();
  }
  CHECK(folder.names() == std::vector<std::string>{"a"});
  CHECK(get_file(folder / "a") == "hallo");
}

TEST_CASE("atomic file: without a commit the old content stays and the temporary goes") {
  const TempFolder folder;
  write_file(folder / "a", "old");
  {
    AtomicFile file(folder / "a");
    file.write("new", 3);
  }
  CHECK(folder.names() == std::vector<std::string>{"a"});
  CHECK(get_file(folder / "a") == "old");
}

TEST_CASE("atomic file: permissions and symbolic links outlive a rewrite") {
  const TempFolder folder;
  write_file(folder / "a", "old");
  REQUIRE(::chmod((folder / "a").c_str(), 0640) == 0);
  REQUIRE(::symlink("a", (folder / "link").c_str()) == 0);
  write_file(folder / "link", "new");
  struct stat status = {};
  REQUIRE(::lstat((folder / "link").c_str(), &status) == 0);
  CHECK(S_ISLNK(status.st_mode));
  REQUIRE(::stat((folder / "a").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0640);
  CHECK(get_file(folder / "a") == "new");
}

TEST_CASE("atomic file: a symbolic link that leads to nothing yet stays one, and its target is made") {
  const TempFolder folder;
  std::filesystem::create_directory(folder / "far");
  REQUIRE(::symlink("far/second", (folder / "first").c_str()) == 0);
  REQUIRE(::symlink("third", (folder / "far/second").c_str()) == 0);
  write_file(folder / "first", "new");
  CHECK(folder.names() == std::vector<std::string>{"far", "first"});
  CHECK(std::filesystem::is_symlink(folder / "first"));
  CHECK(std::filesystem::is_symlink(folder / "far/second"));
  CHECK(get_file(folder / "far/third") == "new");
  REQUIRE(::symlink((folder / "far/fourth").c_str(), (folder / "absolute").c_str()) == 0);
  write_file(folder / "absolute", "newer");
  CHECK(get_file(folder / "far/fourth") == "newer");
  REQUIRE(::symlink("none/a", (folder / "lost").c_str()) == 0);
  CHECK_FAILS(ErrorKind::cannot_create, "lost: cannot be created: No such file", AtomicFile(folder / "lost"));
  REQUIRE(::symlink("loop", (folder / "loop").c_str()) == 0);
  CHECK_FAILS(ErrorKind::cannot_create, "loop: cannot be created", AtomicFile(folder / "loop"));
}

TEST_CASE("atomic file: an open descriptor is no file name, whatever it leads to") {
  const TempFolder folder;
  put_file(folder / "a", "old");
  const int descriptor = ::open((folder / "a").c_str(), O_WRONLY);
  REQUIRE(descriptor >= 0);
  for (const char* table : {"/dev/fd/", "/proc/self/fd/"}) {
    CHECK_FAILS(ErrorKind::cannot_create, "stands for an open descriptor",
                AtomicFile(table + std::to_string(descriptor)));
  }
  REQUIRE(::symlink("/dev/stdout", (folder / "out").c_str()) == 0);
  CHECK_FAILS(ErrorKind::cannot_create, "out: stands for an open descriptor", AtomicFile(folder / "out"));
  ::close(descriptor);
  CHECK(get_file(folder / "a") == "old");
}

TEST_CASE("atomic file: asking whether a file could be written leaves no trace") {
  const TempFolder folder;
  require_creatable(folder / "a");
  CHECK(folder.names().empty());
  put_file(folder / "a", "old");
  require_creatable(folder / "a");
  CHECK(folder.names() == std::vector<std::string>{"a"});
  CHECK(get_file(folder / "a") == "old");
  CHECK_FAILS(ErrorKind::cannot_create, "none/b: cannot be created", require_creatable(folder / "none/b"));
}

TEST_CASE("atomic file: what cannot be created is told before anything is written") {
  const TempFolder folder;
  write_file(folder / "file", "");
  CHECK_FAILS(ErrorKind::cannot_create, "none/a: cannot be created: No such file",
              AtomicFile(folder / "none/a"));
  CHECK_FAILS(ErrorKind::cannot_create, "Not a directory", AtomicFile(folder / "file/a"));
  CHECK_FAILS(ErrorKind::cannot_create, "a folder of this name", AtomicFile(folder.path()));
  CHECK_FAILS(ErrorKind::cannot_create, "something else", AtomicFile("/dev/null"));
  CHECK_FAILS(ErrorKind::cannot_create, "cannot be created", create_folder(folder / "file/b"));
  REQUIRE(::mkdir((folder / "closed").c_str(), 0500) == 0);
  if (::geteuid() == 0) {
    MESSAGE("skipped: unwritable folder (the superuser may write everywhere)");
  } else {
    CHECK_FAILS(ErrorKind::cannot_create, "Permission denied", AtomicFile(folder / "closed/a"));
  }
}

TEST_CASE("atomic file: a full disk leaves the old content and no temporary") {
  const TempFolder folder;
  write_file(folder / "a", "old");
  const FullDisk full(1000);
  CHECK_FAILS(ErrorKind::io, "a: writing failed at offset 1000: File too large",
              write_file(folder / "a", std::string(5000, 'x')));
  CHECK(folder.names() == std::vector<std::string>{"a"});
  CHECK(get_file(folder / "a") == "old");
}

TEST_CASE("atomic file: free space is compared with what is needed") {
  const TempFolder folder;
  require_free_space(folder.path(), 1);
  CHECK_FAILS(ErrorKind::io, "needs 1152921504606846976 bytes of free space",
              require_free_space(folder.path(), std::uint64_t{1} << 60));
}

TEST_CASE("atomic file: only its own temporaries bear its temporaries' names") {
  for (const char* name : {"a.tmp.1.0", "model.safetensors.tmp.4711.12"}) CHECK(is_temporary_name(name));
  for (const char* name :
       {"a", "a.tmp", "a.tmp.", "a.tmp.1", "a.tmp.1.", "a.tmp..1", "a.tmp.x.1", "a.tmp.1.2.3", ".tmp.1.2"}) {
    CHECK_FALSE(is_temporary_name(name));
  }
}

TEST_CASE("input file: what is no file is told apart") {
  const TempFolder folder;
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK_FAILS(ErrorKind::no_input, "none: cannot be opened: No such file", InputFile(folder / "none"));
  CHECK_FAILS(ErrorKind::no_input, "is a folder", InputFile(folder.path()));
  CHECK_FAILS(ErrorKind::no_input, "not a regular file", InputFile(folder / "pipe"));
  put_file(folder / "a", "0123456789");
  const InputFile file(folder / "a");
  char bytes[4] = {};
  file.read_at(3, bytes, 4);
  CHECK(std::string(bytes, 4) == "3456");
  CHECK_FAILS(ErrorKind::bad_data, "a: ends at byte 10", file.read_at(7, bytes, 4));
  CHECK_FAILS(ErrorKind::bad_data, "a: ends at byte 10", file.read_at(UINT64_MAX, bytes, 4));
  REQUIRE(::truncate((folder / "a").c_str(), 5) == 0);
  CHECK_FAILS(ErrorKind::bad_data, "was 10 bytes when opened", file.read_at(3, bytes, 4));
  CHECK(read_text_file(folder / "a", 5) == "01234");
  CHECK_FAILS(ErrorKind::bad_data, "at most 4", read_text_file(folder / "a", 4));
}

TEST_CASE("line file: whole lines, also after a crash and on a full disk") {
  const TempFolder folder;
  put_file(folder / "log", "one\ntw");
  {
    LineFile file(folder / "log");
    file.append("three");
    CHECK(get_file(folder / "log") == "one\ntw\nthree\n");
    CHECK_FAILS(ErrorKind::internal, "line end", file.append("four\nfive"));
    const FullDisk full(20);
    CHECK_FAILS(ErrorKind::io, "log: writing failed", file.append("a line that does not fit"));
  }
  CHECK(get_file(folder / "log") == "one\ntw\nthree\n");
  CHECK_FAILS(ErrorKind::cannot_create, "cannot be opened", LineFile(folder.path()));
}

}  // namespace
}  // namespace inocula
