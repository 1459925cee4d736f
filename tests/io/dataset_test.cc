// Image sets.
#include <doctest/doctest.h>
#include <cstdlib>
#include "io/dataset.h"
#include <iostream>
using namespace inocula;
TEST_CASE("x") {
  for (const char* n : {"pneumoniamnist.npz", "bccd_cells_64.npz"}) {
    ImageData d = load_image_data(std::string(std::getenv("INOCULA_TEST_DATA")) + "/" + n);
    auto info = describe(d);
    for (auto& s : info.splits) { std::cout << s.name << " " << s.count << " rep " << s.repeated; for (auto c : s.class_counts) std::cout << " " << c; for (auto m : s.mean) std::cout << " " << m; std::cout << "\n"; }
    for (auto& s : info.shared) std::cout << s.earlier << " " << s.later << " " << s.count << " " << s.other_label << "\n";
    for (const char* out : {"/tmp/io_x.npz", "/tmp/io_x.h5"}) {
      save_image_data(out, d);
      ImageData e = load_image_data(out);
      CHECK(e.test.pixels == d.test.pixels);
      CHECK(e.train.labels == d.train.labels);
    }
  }
}
