// Attacks by name: defaults, every key, lists of eps, the canonical form, and every refusal in its words.
#include "attacks/registry.h"

#include "attacks/clean.h"
#include "tests/engine/harness.h"

namespace inocula::test {

namespace {

std::string canonical(const std::string& text) {
  const std::vector<attacks::NamedAttack> list = attacks::parse_attacks(text);
  REQUIRE(list.size() == 1);
  const std::vector<attacks::Stage> stages = list[0].stages(11);
  REQUIRE(stages.size() == 1);
  CHECK(stages[0].perturbation->spec() == list[0].canonical);
  return list[0].canonical;
}

void refuse(const std::string& text, const std::string& part) {
  CAPTURE(text);
  check_throws(ErrorKind::usage, part, [&] { attacks::parse_attacks(text); });
}

}  // namespace

TEST_CASE("registry: defaults are torchattacks'") {
  CHECK(canonical("fgsm") == "fgsm:norm=linf,eps=8/255");
  CHECK(canonical("fgsm:norm=l2") == "fgsm:norm=l2,eps=1");
  CHECK(canonical("pgd") ==
        "pgd:norm=linf,eps=8/255,steps=10,alpha=2/255,random_start=1,restarts=1,keep=last");
  CHECK(canonical("pgd:norm=l2") ==
        "pgd:norm=l2,eps=1,steps=10,alpha=0.2,random_start=1,restarts=1,keep=last");
  CHECK(canonical("pgd:norm=l1") ==
        "pgd:norm=l1,eps=12,steps=10,alpha=2.4,random_start=1,restarts=1,keep=last,sparsity=0.99");
  CHECK(canonical("fgsm:norm=l1,sparsity=0.5") == "fgsm:norm=l1,eps=12,sparsity=0.5");
}

TEST_CASE("registry: PGD's relatives") {
  CHECK(canonical("fgsm-rs:eps=8/255") == "fgsm-rs:norm=linf,eps=8/255,alpha=10/255");
  CHECK(canonical("bim") == "bim:norm=linf,eps=8/255,steps=10,alpha=2/255");
  CHECK(canonical("mifgsm:decay=0.5,target=next") ==
        "mifgsm:norm=linf,eps=8/255,steps=10,alpha=2/255,decay=0.5,target=next");
  // Kurakin's number of steps: min(255 eps + 4, 1.25 * 255 eps).
  CHECK(attacks::parse_pgd("bim:eps=8/255,steps=0").steps == 10);
  CHECK(attacks::parse_pgd("bim:eps=32/255,steps=0").steps == 36);
  CHECK(attacks::parse_pgd("bim:eps=0,steps=0").steps == 1);
  CHECK(attacks::parse_pgd("bim").start == attacks::Start::clean);
  CHECK(attacks::parse_pgd("mifgsm").momentum == 1);
  CHECK(attacks::parse_pgd("fgsm-rs").start == attacks::Start::uniform);
  refuse("fgsm-rs:norm=l2", "norm=l2, expected linf");
  refuse("mifgsm:decay=-1", "mifgsm: decay is -1, expected 0 or more");
  refuse("bim:restarts=2", "unknown key 'restarts'");
}

TEST_CASE("registry: Auto-PGD, its restarts and its targets") {
  const auto stages = [](const std::string& text, std::int64_t classes) {
    std::vector<std::string> list;
    for (const attacks::Stage& s : attacks::parse_attacks(text).front().stages(classes))
      list.push_back(s.perturbation->spec() + " #" + std::to_string(s.restart));
    return list;
  };
  const auto canonical_of = [](const std::string& text) {
    return attacks::parse_attacks(text).front().canonical;
  };
  CHECK(canonical_of("apgd-ce") == "apgd-ce:norm=linf,eps=8/255,steps=100,rho=0.75,restarts=1");
  CHECK(canonical_of("apgd-t:norm=l2,steps=20") ==
        "apgd-t:norm=l2,eps=1,steps=20,rho=0.75,restarts=1,targets=9");
  for (const char* text :
       {"apgd-ce", "apgd-dlr:norm=l2,eps=0.5,restarts=3", "apgd-t", "apgd-t:target=2,loss=margin",
        "apgd-t:target=likely3,restarts=2", "apgd-t:targets=3", "apgd-t:target=1"}) {
    const std::string once = canonical_of(text);
    CHECK(canonical_of(once) == once);
  }
  CHECK(stages("apgd-dlr:restarts=2", 3) ==
        std::vector<std::string>{"apgd-dlr:norm=linf,eps=8/255,steps=100,rho=0.75 #0",
                                 "apgd-dlr:norm=linf,eps=8/255,steps=100,rho=0.75 #1"});
  CHECK(stages("apgd-t", 11).size() == 9);
  CHECK(stages("apgd-t", 5).size() == 4);
  CHECK(stages("apgd-t", 5)[3] == "apgd-t:norm=linf,eps=8/255,steps=100,rho=0.75,loss=dlr,target=likely4 #3");
  CHECK(stages("apgd-t:restarts=2", 3) ==
        std::vector<std::string>{
            "apgd-t:norm=linf,eps=8/255,steps=100,rho=0.75,loss=margin,target=likely1 #0",
            "apgd-t:norm=linf,eps=8/255,steps=100,rho=0.75,loss=margin,target=likely2 #1",
            "apgd-t:norm=linf,eps=8/255,steps=100,rho=0.75,loss=margin,target=likely1 #2",
            "apgd-t:norm=linf,eps=8/255,steps=100,rho=0.75,loss=margin,target=likely2 #3"});
  refuse("apgd-ce:target=1", "unknown key 'target'");
  CHECK(stages("fab-t", 3).size() == 2);
  CHECK(stages("fab-t:restarts=2,targets=1", 3)[1].ends_with("target=likely1 #1"));
  CHECK(stages("fab-t:target=0", 3).size() == 1);
  CHECK(canonical_of("fab-t:steps=5") ==
        "fab-t:norm=linf,eps=8/255,steps=5,alpha_max=0.1,eta=1.05,beta=0.9,restarts=1,targets=9");
  // A loss that is not said is that which there is for so many classes.
  CHECK(canonical_of("apgd-t:target=2") ==
        "apgd-t:norm=linf,eps=8/255,steps=100,rho=0.75,target=2,restarts=1");
  CHECK(stages("apgd-t:target=2", 3)[0].find("loss=margin") != std::string::npos);
  CHECK(stages("apgd-t:target=2", 4)[0].find("loss=dlr") != std::string::npos);
  refuse("fab-t:target=1,targets=2", "target and targets exclude each other");
  refuse("apgd-t:target=1,targets=2", "target and targets exclude each other");
  refuse("apgd-t:loss=dlr", "loss belongs to a single target");
  refuse("apgd-t:target=1,loss=ce", "loss=ce, expected dlr or margin");
  refuse("apgd-ce:steps=0", "apgd-ce: steps is 0, expected 1 to 1000000");
  refuse("apgd-ce:rho=1.5", "apgd-ce: rho is 1.5, expected 0 to 1");
  refuse("apgd-ce:restarts=0", "restarts=0");
  refuse("apgd-ce:norm=l0", "norm=l0, expected linf or l2 or l1");
  CHECK(canonical_of("apgd-ce:norm=l1") == "apgd-ce:norm=l1,eps=12,steps=100,restarts=1");
  CHECK(canonical_of(canonical_of("apgd-t:norm=l1,eps=3")) == canonical_of("apgd-t:norm=l1,eps=3"));
  refuse("apgd-ce:norm=l1,rho=0.5", "steps in L1 have no rho, expected norm=linf or l2");
}

TEST_CASE("registry: what a network of so many classes does not have is refused before anything runs") {
  const std::vector<std::tuple<std::string, std::int64_t, std::string>> refused = {
      {"pgd:target=3", 3, "pgd: target is class 3, expected 0 to 2"},
      {"cw:target=likely3", 3, "cw: target is number 3 of the likeliest other classes, expected 1 to 2"},
      {"jsma:target=3", 3, "jsma: target is class 3"},
      {"fab-t:target=3", 3, "fab-t: target is class 3"},
      {"fab-t:target=3,eps=inf", 3, "fab-t: target is class 3"},
      {"apgd-t:target=3", 3, "apgd-t: target is class 3"},
      {"apgd-t:target=1,loss=dlr", 3, "apgd-t: DLR with a target compares the 4 largest logits"},
      {"apgd-dlr", 2,
       "apgd-dlr: DLR compares the 3 largest logits, and there are 2 classes; expected apgd-t"},
      {"pgd:loss=dlr", 2,
       "pgd: DLR compares the 3 largest logits, and there are 2 classes; expected loss=margin"},
      {"bim:loss=dlr,target=0", 3, "bim: DLR with a target compares the 4"},
      {"pgd:loss=margin", 1, "pgd: the margin compares the 2 largest logits, and there are 1 classes"},
      {"autoattack:version=rand", 2, "and there are 2 classes; expected aa-k"}};
  for (const auto& [text, classes, part] : refused) {
    CAPTURE(text);
    const attacks::NamedAttack attack = attacks::parse_attacks(text).front();
    check_throws(ErrorKind::usage, part, [&] { attack.stages(classes); });
    CHECK(!attack.stages(classes + 1).empty());
  }
}

TEST_CASE("registry: what figures can be held against each other") {
  const auto kind = [](const std::string& text) {
    const attacks::NamedAttack a = attacks::parse_attacks(text).front();
    return std::pair(a.untargeted, a.sees_gradients);
  };
  for (const char* text : {"pgd", "apgd-t", "aa-k", "cw", "fab-t:targets=2", "pgd:loss=margin"})
    CHECK(kind(text) == std::pair(true, true));
  for (const char* text : {"pgd:target=1", "cw:target=next", "jsma", "pgd:loss=kl"})
    CHECK(kind(text) == std::pair(false, true));
  for (const char* text : {"aa-k", "apgd-ce:restarts=3"})
    CHECK(attacks::parse_attacks(text).front().ensemble == (text[1] == 'a'));
  for (const char* text : {"square", "noise"}) CHECK(kind(text) == std::pair(true, false));
}

TEST_CASE("registry: ensembles, by the number of classes") {
  const auto names = [](const std::string& text, std::int64_t classes) {
    std::string list;
    for (const attacks::Stage& s : attacks::parse_attacks(text).front().stages(classes)) {
      const std::string spec = s.perturbation->spec();
      const std::size_t target = spec.find("target=likely"), loss = spec.find(",loss=");
      list += (list.empty() ? "" : " ") + spec.substr(0, spec.find(':')) +
              (target != std::string::npos ? spec.substr(target + 13, 1) : "") +
              (loss != std::string::npos ? spec.substr(loss + 6, 1) : "") +
              (s.restart > 0 && target == std::string::npos ? "#" + std::to_string(s.restart) : "");
      CHECK(s.right_only);
    }
    return list;
  };
  CHECK(names("aa-k", 2) == "apgd-ce apgd-t1m fab-t1 square");
  CHECK(names("aa-k", 3) == "apgd-ce apgd-dlr apgd-t1m apgd-t2m fab-t1 fab-t2 square");
  CHECK(names("aa-k", 4) == "apgd-ce apgd-t1d apgd-t2d apgd-t3d fab-t1 fab-t2 fab-t3 square");
  const std::string standard =
      "apgd-ce apgd-t1d apgd-t2d apgd-t3d apgd-t4d apgd-t5d apgd-t6d apgd-t7d apgd-t8d apgd-t9d "
      "fab-t1 fab-t2 fab-t3 fab-t4 fab-t5 fab-t6 fab-t7 fab-t8 fab-t9 square";
  CHECK(names("aa-k", 11) == standard);
  CHECK(names("autoattack", 11) == standard);
  const std::string in_l1 = "apgd-ce apgd-ce#1 apgd-ce#2 apgd-ce#3 apgd-ce#4 ";
  CHECK(names("aa-k:norm=l1", 2) == in_l1 + "apgd-t1m fab-t1");
  CHECK(names("aa-k:norm=l1", 3) == in_l1 + "apgd-dlr apgd-t1m apgd-t2m fab-t1 fab-t2");
  CHECK(names("autoattack:norm=l1", 11) ==
        in_l1 +
            "apgd-t1d apgd-t2d apgd-t3d apgd-t4d apgd-t5d fab-t1 fab-t2 fab-t3 fab-t4 fab-t5 fab-t6 "
            "fab-t7 fab-t8 fab-t9");
  check_throws(ErrorKind::usage, "in L1 there is version=standard alone",
               [&] { names("autoattack:norm=l1,version=plus", 11); });
  CHECK(names("autoattack", 10) == standard);
  CHECK(
      names("autoattack:version=plus", 11) ==
      "apgd-ce apgd-ce#1 apgd-ce#2 apgd-ce#3 apgd-ce#4 apgd-dlr apgd-dlr#1 apgd-dlr#2 apgd-dlr#3 apgd-dlr#4 "
      "fab fab#1 fab#2 fab#3 fab#4 square apgd-t1d apgd-t2d apgd-t3d apgd-t4d apgd-t5d apgd-t6d apgd-t7d "
      "apgd-t8d apgd-t9d fab-t1 fab-t2 fab-t3 fab-t4 fab-t5 fab-t6 fab-t7 fab-t8 fab-t9");
  CHECK(names("autoattack:version=rand", 3) == "apgd-ce apgd-dlr");
  for (const char* text : {"autoattack", "autoattack:version=plus"})
    check_throws(ErrorKind::usage, "looks at the 10 likeliest classes, and there are 9; expected aa-k",
                 [&] { names(text, 9); });
  check_throws(ErrorKind::usage, "aa-k: there is 1 class", [&] { names("aa-k", 1); });
  for (const char* text : {"aa-k", "aa-k:norm=l2,eps=0.5,steps=20,queries=100", "autoattack:version=plus",
                           "noise", "noise:norm=l2,restarts=3", "noise:norm=l1", "fab-t:restarts=2",
                           "fab-t:target=2", "square:restarts=2"}) {
    const std::string once = attacks::parse_attacks(text).front().canonical;
    CHECK(attacks::parse_attacks(once).front().canonical == once);
  }
  CHECK(attacks::parse_attacks("aa-k").front().canonical ==
        "aa-k:norm=linf,eps=8/255,steps=100,queries=5000");
  CHECK(attacks::parse_attacks("autoattack:norm=l1").front().canonical ==
        "autoattack:version=standard,norm=l1,eps=12,steps=100,square=0");
  refuse("aa-k:norm=l1,queries=9", "queries are those of the Square attack, which is not in L1");
  refuse("aa-k:norm=l1,square=1", "square=1, expected 0: there is no Square attack in L1");
  refuse("aa-k:square=0", "square=0, expected 1, as the ensemble has it");
  refuse("aa-k:version=plus", "unknown key 'version'");
  refuse("autoattack:version=custom", "version=custom, expected standard, plus or rand");
  refuse("aa-k:eps=2", "aa-k: eps is 2, expected at most 1");
  refuse("aa-k:queries=0", "queries=0");
}

TEST_CASE("registry: every key is read") {
  const attacks::PgdSpec s = attacks::parse_pgd(
      "pgd:norm=l2,eps=0.5,alpha=0.125,steps=7,restarts=3,random_start=sphere,target=2,keep=best");
  CHECK(s.norm == attacks::Norm::l2);
  CHECK(s.eps == 0.5);
  CHECK(s.alpha == 0.125);
  CHECK(s.steps == 7);
  CHECK(s.restarts == 3);
  CHECK(s.start == attacks::Start::sphere);
  CHECK(s.iterate == attacks::Iterate::best);
  CHECK(s.target.targeted);
  CHECK(s.target.rule == TargetRule::given);
  CHECK(s.target.given == 2);
  CHECK(attacks::parse_pgd("pgd:random_start=0").start == attacks::Start::clean);
  CHECK(attacks::parse_pgd("pgd:random_start=1").start == attacks::Start::uniform);
  CHECK(attacks::parse_pgd("pgd:random_start=normal").start == attacks::Start::normal);
  CHECK(attacks::parse_pgd("pgd:loss=kl").loss == attacks::AttackLoss::divergence);
  CHECK(attacks::parse_pgd("pgd:loss=ce").loss == attacks::AttackLoss::cross_entropy);
  CHECK(attacks::parse_pgd("pgd:keep=last").iterate == attacks::Iterate::last);
  CHECK(!attacks::parse_pgd("pgd").target.targeted);
  CHECK(attacks::parse_pgd("pgd:target=least_likely").target.rule == TargetRule::least_likely);
  CHECK(attacks::parse_pgd("pgd:target=random").target.rule == TargetRule::random);
  const attacks::PgdSpec fgsm = attacks::parse_pgd("fgsm:norm=l2,eps=0.75,target=random");
  CHECK(fgsm.alpha == 0.75);
  CHECK(fgsm.steps == 1);
  CHECK(fgsm.start == attacks::Start::clean);
  CHECK(fgsm.target.targeted);
}

TEST_CASE("registry: the canonical form is read back as itself") {
  for (const char* text : {"fgsm", "fgsm:norm=l2,eps=0.3,target=random", "fgsm:eps=0", "pgd",
                           "pgd:norm=linf,eps=4/255,steps=20,alpha=1/255,random_start=1",
                           "pgd:eps=0.031,alpha=0.007,random_start=0,keep=best",
                           "pgd:norm=l2,random_start=sphere,restarts=5,target=3",
                           "pgd:eps=0.031,alpha=0.007,random_start=normal,loss=kl",
                           "pgd:target=least_likely,eps=1e-5,alpha=0.000123456789",
                           "pgd:norm=l1,eps=3,sparsity=0.95,loss=dlr", "mifgsm:norm=l1,target=2"}) {
    CAPTURE(text);
    const std::string once = canonical(text);
    CHECK(canonical(once) == once);
  }
  CHECK(attacks::Clean{}.spec() == "clean");
}

TEST_CASE("registry: a list of eps makes one attack for each") {
  const std::vector<attacks::NamedAttack> list = attacks::parse_attacks("pgd:eps=0;1/255;0.02;0.5,steps=3");
  REQUIRE(list.size() == 4);
  CHECK(list[0].eps == 0);
  CHECK(list[1].eps == 1.0 / 255);
  CHECK(list[2].canonical ==
        "pgd:norm=linf,eps=0.02,steps=3,alpha=2/255,random_start=1,restarts=1,keep=last");
  CHECK(list[3].steps == 3);
  const auto paths = attacks::parse_attacks("pgd:norm=l2,eps=0;1;4,path=2.5,steps=20");
  CHECK(paths[1].canonical == "pgd:norm=l2,eps=1,steps=20,alpha=0.125,random_start=1,restarts=1,keep=last");
  CHECK(paths[2].canonical == "pgd:norm=l2,eps=4,steps=20,alpha=0.5,random_start=1,restarts=1,keep=last");
  CHECK(list[3].norm == attacks::Norm::linf);
  check_throws(ErrorKind::usage, "'pgd:eps=1/255;2/255': 2 values of eps, expected one",
               [] { attacks::parse_pgd("pgd:eps=1/255;2/255"); });
}

TEST_CASE("registry: what it cannot read is refused in words that help") {
  refuse("", "expected name:key=value");
  refuse("nosuch",
         "'nosuch': unknown attack 'nosuch', expected one of: fgsm, fgsm-rs, bim, pgd, mifgsm, apgd-ce");
  refuse("pgd:iterations=5",
         "unknown key 'iterations', expected one of: norm, eps, alpha, path, steps, restarts, "
         "random_start, target, keep, loss, sparsity, seed");
  refuse("pgd:alpha=1/255,path=2", "alpha and path both say how long a step is");
  refuse("pgd:path=-1", "pgd: alpha is ");
  refuse("fgsm:steps=3", "unknown key 'steps', expected one of: norm, eps, target, sparsity, seed");
  refuse("pgd:norm=l0", "'pgd:norm=l0': norm=l0, expected linf or l2 or l1");
  refuse("pgd:sparsity=0.5", "'pgd:sparsity=0.5': sparsity is that of steps in L1, expected norm=l1");
  refuse("pgd:norm=l1,sparsity=1", "pgd: sparsity is 1, expected 0 or more and below 1");
  refuse("pgd:norm=l1,random_start=sphere", "a start on the sphere needs norm=l2");
  refuse("fgsm-rs:norm=l1", "norm=l1, expected linf");
  refuse("pgd:eps=big", "'pgd:eps=big': eps: 'big', expected a number such as 8/255 or 0.03");
  refuse("pgd:eps=1/255;", "eps: ''");
  refuse("pgd:eps=-1/255", "pgd: eps is -0.00392157, expected 0 or more");
  refuse("fgsm:eps=-1", "fgsm: eps is -1, expected 0 or more");
  refuse("pgd:eps=8", "pgd: eps is 8, expected at most 1, in units of the pixel range");
  refuse("pgd:seed=-1", "seed=-1, expected 0 or more");
  refuse("pgd:alpha=x", "alpha: 'x'");
  refuse("pgd:alpha=0", "pgd: alpha is 0, expected a positive number");
  refuse("pgd:steps=0", "pgd: steps is 0, expected at least 1");
  refuse("pgd:steps=2.5", "steps=2.5, expected a whole number");
  refuse("pgd:restarts=0", "pgd: restarts is 0, expected at least 1");
  refuse("pgd:restarts=2,random_start=0", "expected random_start=1");
  refuse("pgd:random_start=2", "random_start=2, expected 0, 1, sphere or normal");
  refuse("pgd:random_start=sphere", "a start on the sphere needs norm=l2");
  refuse("pgd:keep=first", "keep=first, expected last or best");
  refuse("pgd:loss=js", "'pgd:loss=js': loss=js, expected ce, kl, margin or dlr");
  refuse("pgd:loss=kl,random_start=0",
         "pgd: the gradient of loss=kl is zero at the image itself; expected a random start");
  refuse("pgd:loss=kl,target=1", "expected no target, or loss=ce");
  for (const std::string target : {"nobody", "-1", "1.5", "4294967296", "1e3"})
    refuse("pgd:target=" + target,
           "target=" + target + ", expected a class number, least_likely, random, next, or likely1");
  refuse("pgd:eps=1,eps=2", "key 'eps' is given twice");
}

TEST_CASE("registry: a spec may bring its own seed, and an L2 radius may exceed 1") {
  const auto list = attacks::parse_attacks("pgd:norm=l2,eps=2,alpha=0.5,seed=7");
  CHECK(list[0].seed == std::uint64_t{7});
  CHECK(list[0].spec() == list[0].canonical + ",seed=7");
  const auto plain = attacks::parse_attacks("pgd");
  CHECK(!plain[0].seed.has_value());
  CHECK(plain[0].spec() == plain[0].canonical);
}

TEST_CASE("registry: the list for people names every attack and its keys") {
  const std::string list = attacks::list_attacks();
  for (const char* word : {"fgsm:", "pgd:", "norm=", "eps=", "alpha=", "steps=", "random_start=", "restarts=",
                           "keep=", "target=", "seed="})
    CHECK(list.find(word) != std::string::npos);
}

}  // namespace inocula::test
