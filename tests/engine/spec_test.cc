// Specs and numbers as users write them: what is read, what is refused and in which words.
#include "engine/spec.h"

#include <cmath>
#include <random>

#include "tests/engine/harness.h"

namespace inocula::test {

namespace {

void refuse_number(const char* text) {
  CAPTURE(text);
  check_throws(ErrorKind::usage, std::string("eps: '") + text + "', expected a number such as 8/255 or 0.03",
               [&] { parse_number(text, "eps"); });
}

void refuse_spec(const char* text, const char* part) {
  CAPTURE(text);
  check_throws(ErrorKind::usage, part, [&] { Spec::parse(text); });
}

}  // namespace

TEST_CASE("spec: numbers") {
  CHECK(parse_number("8/255", "eps") == 8.0 / 255);
  CHECK(parse_number("0.031", "eps") == 0.031);
  CHECK(parse_number("1e-3", "eps") == 1e-3);
  CHECK(parse_number("-2/4", "eps") == -0.5);
  CHECK(parse_number("0", "eps") == 0);
  for (const char* text : {"", "/", "8/", "/255", "1/0", "8/255/2", "a", "1a", " 1", "1 ", "nan", "inf",
                           "1e999", "0x10", "+1", "1,5"})
    refuse_number(text);
}

TEST_CASE("spec: numbers are written as papers write them, and read back equal to nine digits") {
  CHECK(format_number(8.0 / 255) == "8/255");
  CHECK(format_number(-2.0 / 255) == "-2/255");
  CHECK(format_number(0) == "0");
  CHECK(format_number(1) == "1");
  CHECK(format_number(0.5) == "0.5");
  CHECK(format_number(0.03) == "0.03");
  CHECK(format_number(0.2) == "0.2");  // shorter than 51/255
  CHECK(format_number(1e-12) == "1e-12");
  std::mt19937 generator(3);
  std::uniform_real_distribution<double> uniform(-2, 2);
  for (int i = 0; i < 1000; ++i) {
    const double value = uniform(generator);
    const std::string text = format_number(value);
    CHECK(parse_number(text, "x") == doctest::Approx(value).epsilon(5e-9));
    CHECK(format_number(parse_number(text, "x")) == text);
  }
}

TEST_CASE("spec: fields") {
  const Spec s = Spec::parse("pgd:eps=1/255;2/255,steps=20,random_start=1,word=a b");
  CHECK(s.name() == "pgd");
  CHECK(s.text() == "pgd:eps=1/255;2/255,steps=20,random_start=1,word=a b");
  CHECK(s.has("steps"));
  CHECK(!s.has("alpha"));
  CHECK(s.integer("steps", 3) == 20);
  CHECK(s.integer("restarts", 3) == 3);
  CHECK(s.integer("steps", 3, 1, 20) == 20);
  CHECK(s.integer("restarts", 3, 5, 6) == 3);
  CHECK(s.word("word", "") == "a b");
  CHECK(s.number("alpha", 0.25) == 0.25);
  CHECK(s.numbers("eps", 1) == std::vector<double>{1.0 / 255, 2.0 / 255});
  CHECK(s.numbers("none", 1) == std::vector<double>{1});
  CHECK(Spec::parse("clean").name() == "clean");
}

TEST_CASE("spec: blanks after a separator mean nothing") {
  const Spec s = Spec::parse("pgd: eps=1/255; 2/255,  steps=20, word=a b");
  CHECK(s.name() == "pgd");
  CHECK(s.numbers("eps", 1) == std::vector<double>{1.0 / 255, 2.0 / 255});
  CHECK(s.integer("steps", 3) == 20);
  CHECK(s.word("word", "") == "a b");
  refuse_spec("pgd:eps=1, ", "field ''");
  refuse_spec("pgd:eps=1, ,steps=2", "field ''");
}

TEST_CASE("spec: what cannot be read is refused, naming the spec and the key") {
  refuse_spec("", "expected name:key=value");
  refuse_spec(":eps=1", "expected name:key=value");
  refuse_spec("pgd:", "field '', expected key=value");
  refuse_spec("pgd:eps", "'pgd:eps': field 'eps', expected key=value");
  refuse_spec("pgd:=1", "field '=1'");
  refuse_spec("pgd:eps=", "field 'eps='");
  refuse_spec("pgd:eps=1,,steps=2", "field ''");
  refuse_spec("pgd:eps=1,eps=2", "'pgd:eps=1,eps=2': key 'eps' is given twice");

  const Spec s = Spec::parse("pgd:steps=x,long=99999999999999999999,few=2,eps=1;;2,alpha=z");
  const auto refuse = [](const char* part, auto f) { check_throws(ErrorKind::usage, part, f); };
  refuse("steps=x, expected a whole number", [&] { s.integer("steps", 0); });
  refuse("long=99999999999999999999, expected a whole number", [&] { s.integer("long", 0); });
  refuse("few=2, expected a whole number from 3 to 4", [&] { s.integer("few", 3, 3, 4); });
  refuse("few=2, expected a whole number from 0 to 1", [&] { s.integer("few", 0, 0, 1); });
  refuse("eps: ''", [&] { s.numbers("eps", 0); });
  refuse("alpha: 'z'", [&] { s.number("alpha", 0); });
  refuse("unknown key 'alpha', expected one of: steps, long, few, eps", [&] {
    s.allow({"steps", "long", "few", "eps"});
  });
  refuse("unknown key 'alpha', expected no keys", [&] { s.allow({}); });
  s.allow({"steps", "long", "few", "eps", "alpha", "more"});
}

}  // namespace inocula::test
