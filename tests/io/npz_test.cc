// The .npz container: archives that lie, break off or are damaged, and what we write ourselves.
#include "io/npz.h"

#include "tests/io/files.h"

namespace inocula {
namespace {

const std::string kMember = npy_file("{'descr': '|u1', 'fortran_order': False, 'shape': (4,), }\n", "abcd");

Arrays read_all(const std::string& path) {
  Arrays arrays;
  const auto file = open_npz(path);
  for (const std::string& name : file->names()) arrays.emplace(name, file->read(name));
  return arrays;
}

bool same(const Arrays& a, const Arrays& b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](const auto& x, const auto& y) {
           return x.first == y.first && x.second.type == y.second.type && x.second.shape == y.second.shape &&
                  x.second.bytes == y.second.bytes;
         });
}

Arrays sample() {
  Arrays arrays;
  arrays["floats"] = {ElementType::f32, {2, 3}, std::vector<std::uint8_t>(24, 7)};
  arrays["zeros"] = {ElementType::u8, {1000}, std::vector<std::uint8_t>(1000, 0)};
  arrays["none"] = {ElementType::i64, {0, 4}, {}};
  arrays["scalar"] = {ElementType::f64, {}, std::vector<std::uint8_t>(8, 1)};
  return arrays;
}

TEST_CASE("npz: what is written is read back, and the bytes depend on nothing else") {
  const TempFolder folder;
  const Arrays arrays = sample();
  write_npz(folder / "a.npz", views_of(arrays));
  write_npz(folder / "b.npz", views_of(arrays));
  CHECK(get_file(folder / "a.npz") == get_file(folder / "b.npz"));
  CHECK(same(read_all(folder / "a.npz"), arrays));
  CHECK(folder.names() == std::vector<std::string>{"a.npz", "b.npz"});
  CHECK_FAILS(ErrorKind::bad_data, "has no array 'more'", open_npz(folder / "a.npz")->read("more"));
}

TEST_CASE("npz: stored members are read, names are keys") {
  const TempFolder folder;
  put_file(folder / "a.npz", ZipBuilder().add("../../x.npy", kMember).add("plain", kMember).finish());
  const Arrays arrays = read_all(folder / "a.npz");
  CHECK(arrays.contains("../../x"));
  CHECK(arrays.at("plain").bytes == std::vector<std::uint8_t>{'a', 'b', 'c', 'd'});
  CHECK(folder.names() == std::vector<std::string>{"a.npz"});
}

TEST_CASE("npz: archives that lie are refused") {
  const TempFolder folder;
  const std::string path = folder / "a.npz";
  const auto refused = [&](const ZipBuilder& archive, const std::string& part) {
    put_file(path, archive.finish());
    CHECK_FAILS(ErrorKind::bad_data, part, read_all(path));
  };
  refused(ZipBuilder().add("x.npy", kMember).add("x.npy", kMember), "already exists");
  refused(ZipBuilder().add("x.npy", kMember).add("x", kMember), "same name");
  refused(ZipBuilder().add("x.npy", kMember, {.crc = 5}), "damaged");
  refused(ZipBuilder().add("x.npy", kMember, {.flags = 1}), "encrypted");
  refused(ZipBuilder().add("x.npy", kMember, {.method = 12}), "method 12");
  refused(ZipBuilder().add("x.npy", kMember, {.method = 8}), "damaged");
  // 80 bytes that claim 4 GiB, the most that plain zip headers can say.
  refused(ZipBuilder().add("x.npy", kMember, {.size = 0xFFFFFFFE, .method = 8}), "more than 1100 times");
  refused(ZipBuilder().add("x.npy", kMember, {.size = 0xFFFFFFFE}), "more than 1100 times");
  refused(ZipBuilder().add("x.npy", kMember, {.size = 1000}), "holds");
  refused(ZipBuilder().add("x.npy", kMember, {.compressed_size = 0xFFFFFFF0}), "");
  refused(ZipBuilder().add("x.npy", "abcd"), "too short for an .npy");
  ZipBuilder many;
  for (int i = 0; i < 65; ++i) many.add("x" + std::to_string(i), kMember);
  refused(many, "65 members");
  put_file(path, "PK\3\4 and then nothing of the kind");
  CHECK_FAILS(ErrorKind::bad_data, "not a sound zip archive", open_npz(path));
}

TEST_CASE("npz: members that overlap cannot claim more than the file holds") {
  // The first member's content is the whole second member, headers and all, as in a quoted bomb.
  const TempFolder folder;
  const std::string inner = kMember + std::string(3000, 'x');
  std::string archive = ZipBuilder().add("a.npy", inner).add("b.npy", inner).finish();
  const std::size_t second = archive.find("PK\3\4", 4);
  REQUIRE(second != std::string::npos);
  const std::uint32_t reach = static_cast<std::uint32_t>(second + 35 + inner.size() - 35);  // to the end of b
  for (const std::size_t at : {std::size_t{14}, archive.find("PK\1\2") + 16}) {
    for (int i = 0; i < 4; ++i) {
      archive[at + 4 + i] = static_cast<char>(reach >> (8 * i));
      archive[at + 8 + i] = static_cast<char>(reach >> (8 * i));
    }
  }
  put_file(folder / "a.npz", archive);
  CHECK_FAILS(ErrorKind::bad_data, "claim more than the file's", open_npz(folder / "a.npz"));
}

TEST_CASE("npz: cut short anywhere it fails") {
  const TempFolder folder;
  write_npz(folder / "whole.npz", views_of(sample()));
  const std::string whole = get_file(folder / "whole.npz");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    put_file(folder / "cut.npz", whole.substr(0, size));
    CHECK_FAILS(ErrorKind::bad_data, "cut.npz", open_array_file(folder / "cut.npz"));
  }
}

TEST_CASE("npz: with any bit turned it fails or holds the same arrays") {
  const TempFolder folder;
  const Arrays arrays = sample();
  for (const bool deflated : {true, false}) {
    if (deflated) write_npz(folder / "whole.npz", views_of(arrays));
    if (!deflated) put_file(folder / "whole.npz", ZipBuilder().add("x.npy", kMember).finish());
    const std::string whole = get_file(folder / "whole.npz");
    const Arrays expected = read_all(folder / "whole.npz");
    std::size_t detected = 0;
    for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
      std::string damaged = whole;
      damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
      put_file(folder / "damaged.npz", damaged);
      bool right = true;
      const auto failure = failure_of([&] { right = same(read_all(folder / "damaged.npz"), expected); });
      CHECK(right);
      if (failure) CHECK(failure->kind == ErrorKind::bad_data);
      detected += failure.has_value();
    }
    CHECK(detected > 4 * whole.size());  // more than half; the rest are dates, versions and attributes
  }
}

TEST_CASE("npz: a full disk is an error that names the file, and leaves nothing") {
  const TempFolder folder;
  const std::vector<std::uint8_t> noise = [] {
    std::vector<std::uint8_t> bytes;
    for (std::uint32_t i = 0; i < 100000; ++i) bytes.push_back(static_cast<std::uint8_t>(pick(1, i, 256)));
    return bytes;
  }();
  const ArrayViews arrays{{"x", view_of(noise, {100000})}};
  put_file(folder / "a.npz", "old");
  const FullDisk full(20000);
  CHECK_FAILS(ErrorKind::io, "a.npz: writing failed", write_npz(folder / "a.npz", arrays));
  CHECK(folder.names() == std::vector<std::string>{"a.npz"});
  CHECK(get_file(folder / "a.npz") == "old");
}

}  // namespace
}  // namespace inocula
