// Records that outlive the process: what is whole is found, what is not is no record.
#include "io/record_file.h"

#include <string>

#include "tests/io/files.h"

using namespace inocula;

namespace {

using Begin = RecordFile::Begin;

std::string record_text(std::uint32_t i) {
  return std::string(i * 7 % 50, static_cast<char>('a' + i % 26)) + std::string(1, '\0');
}

}  // namespace

TEST_CASE("record file: what was added is found, also by the next process") {
  const TempFolder folder;
  const std::string path = folder / "r.state";
  {
    RecordFile file(path, Begin::again, "who");
    CHECK(!file.find("a").has_value());
    file.add("a", "first");
    file.add("b", std::string("\0\xff", 2));
    file.add("a", "second");
    CHECK(file.find("a") == "second");
  }
  {
    RecordFile file(path, Begin::again, "who");
    CHECK(file.find("a") == "second");
    CHECK(file.find("b") == std::string("\0\xff", 2));
    CHECK(!file.find("c").has_value());
    CHECK_FAILS(ErrorKind::cannot_create, "another process", RecordFile(path, Begin::again, "who"));
  }
  CHECK_FAILS(ErrorKind::config, "another computation", RecordFile(path, Begin::again, "somebody else"));
  CHECK(RecordFile(path, Begin::where_same, "who").find("a") == "second");
  {
    RecordFile file(path, Begin::where_same, "another one");
    CHECK(!file.find("a").has_value());
    file.add("a", "third");
  }
  CHECK(RecordFile(path, Begin::again, "another one").find("a") == "third");
  {
    RecordFile file(path, Begin::anew, "somebody else");
    CHECK(!file.find("a").has_value());
    file.remove();
  }
  CHECK(folder.names().empty());
}

TEST_CASE("record file: cut anywhere it holds the records before the cut, and grows again") {
  const TempFolder folder;
  const std::string path = folder / "r.state";
  std::vector<std::size_t> ends;
  {
    RecordFile file(path, Begin::anew, "who");
    for (std::uint32_t i = 0; i < 4; ++i) {
      file.add(std::to_string(i), record_text(i));
      ends.push_back(get_file(path).size());
    }
  }
  const std::string whole = get_file(path);
  for (std::size_t bytes = 0; bytes <= whole.size(); ++bytes) {
    put_file(path, whole.substr(0, bytes));
    RecordFile file(path, Begin::again, "who");
    for (std::uint32_t i = 0; i < 4; ++i)
      REQUIRE(file.find(std::to_string(i)).has_value() == (bytes >= ends[i]));
    file.add("4", "new");
    CHECK(file.find("4") == "new");
  }
}

TEST_CASE("record file: what holds something else is left as it is, and what holds nothing goes") {
  const TempFolder folder;
  const std::string path = folder / "r.state";
  for (const Begin begin : {Begin::again, Begin::anew})
    for (const char* other : {"x", "inocula rex", "inocula records 2\n"}) {
      put_file(path, other);
      CHECK_FAILS(ErrorKind::bad_data, "holds something else", RecordFile(path, begin, "who"));
      CHECK(get_file(path) == other);
    }
  put_file(path, "");
  { const RecordFile file(path, Begin::again, "who"); }
  CHECK(folder.names().empty());
}

TEST_CASE("record file: no damaged record is handed out") {
  const TempFolder folder;
  const std::string path = folder / "r.state";
  {
    RecordFile file(path, Begin::anew, "who");
    for (std::uint32_t i = 0; i < 4; ++i) file.add(std::to_string(i), record_text(i));
  }
  const std::string whole = get_file(path);
  for (std::uint32_t test = 0; test < 2000; ++test) {
    std::string damaged = whole;
    damaged[pick(test, 0, static_cast<std::uint32_t>(whole.size()))] ^=
        static_cast<char>(1u << pick(test, 1, 8));
    put_file(path, damaged);
    try {
      const RecordFile file(path, Begin::again, "who");
      for (std::uint32_t i = 0; i < 4; ++i)
        if (const auto found = file.find(std::to_string(i))) REQUIRE(*found == record_text(i));
    } catch (const Error& e) {
      REQUIRE((e.kind() == ErrorKind::bad_data || e.kind() == ErrorKind::config));
    }
  }
}

TEST_CASE("record file: a full disk costs the record alone") {
  const TempFolder folder;
  const std::string path = folder / "r.state";
  RecordFile file(path, Begin::anew, "who");
  file.add("small", "1");
  {
    const FullDisk full(400);
    CHECK_FAILS(ErrorKind::io, "writing failed", file.add("large", std::string(1000, 'x')));
  }
  CHECK(file.find("small") == "1");
  CHECK(!file.find("large").has_value());
  file.add("large", std::string(1000, 'x'));
  CHECK(file.find("large") == std::string(1000, 'x'));
}
