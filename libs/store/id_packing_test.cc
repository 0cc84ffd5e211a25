// Any bytes come back as they were; ids that come again cost a byte or two.
#include "libs/store/id_packing.h"

#include <gtest/gtest.h>

#include <random>

namespace micropay {
namespace {

std::string id(uint32_t number) { return derived_uuid(std::to_string(number)); }
std::string field(std::string_view text) {
  return "\x0a" + std::string(1, char(text.size())) + std::string(text);
}

std::string packed(std::string_view payload) {
  IdPacker packer;
  std::string out;
  packer.pack("something before: " + field(id(0)), out);
  packer.pack(payload, out);
  return out;
}

bool comes_back(std::string_view payload) {
  std::vector<char> back;
  return unpack_ids(packed(payload), payload.size(), back) &&
         std::string_view(back.data(), back.size()) == payload;
}

TEST(IdPacking, BytesComeBack) {
  std::string upper = id(1);
  for (char& c : upper) c = char(std::toupper(c));
  for (const std::string& payload :
       {std::string(), std::string("$"), std::string("$$$"), id(1), "$" + id(1), field(id(1)) + field(id(1)),
        "$" + id(1).substr(1), "$" + id(1) + "$" + id(2) + "$" + id(1), "$" + upper, "$$" + id(3) + "$",
        std::string(300, '$') + id(1), std::string(1000, '\0') + field(id(9)) + std::string(200, '\xff')})
    EXPECT_TRUE(comes_back(payload)) << payload;
}

TEST(IdPacking, RandomMixturesComeBack) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    std::string payload;
    for (uint32_t parts = random() % 3'000; parts > 0; --parts) {
      if (random() % 3 != 0) payload += field(id(random() % (1 + uint32_t(round) * 20)));
      else payload.append(random() % 40, char(random() % 2 == 0 ? '$' : int(random() % 256)));
    }
    ASSERT_TRUE(comes_back(payload)) << round;
  }
}

TEST(IdPacking, AnIdThatComesAgainIsShort) {
  std::string once, again;
  for (uint32_t i = 0; i < 100; ++i) once += field(id(i));
  for (int i = 0; i < 10; ++i) again += once;
  EXPECT_LT(packed(again).size(), packed(once).size() + 9 * 100 * 6);
}

TEST(IdPacking, RefusesWhatIsNone) {
  const std::string payload = field(id(1)) + "between" + field(id(2)) + field(id(1)) + "end";
  const std::string good = packed(payload);
  std::vector<char> back;
  EXPECT_FALSE(unpack_ids(good, payload.size() - 1, back));
  EXPECT_FALSE(unpack_ids(good, payload.size() + 1, back));
  for (size_t size = 0; size < good.size(); ++size)
    EXPECT_FALSE(unpack_ids(good.substr(0, size), payload.size(), back));
  for (size_t at = 0; at < good.size(); ++at)
    for (const char other : {'\0', '\1', '\x7f', '\xff'}) {
      std::string bad = good;
      bad[at] = other;
      (void)unpack_ids(bad, payload.size(), back);  // whatever it says, it stays within its bytes
    }
}

}  // namespace
}  // namespace micropay
