// Weights of media types and codings, as clients of all kinds write them.
#include "libs/http/accept.h"

#include <gtest/gtest.h>

namespace micropay {
namespace {

TEST(Accept, WeighsMediaTypes) {
  const std::pair<const char*, uint32_t> cases[] = {{"", 1000},
                                                    {" , ", 1000},
                                                    {"*/*", 1000},
                                                    {"application/json", 1000},
                                                    {"Application/JSON", 1000},
                                                    {"application/*;q=0.5", 500},
                                                    {"text/csv", 0},
                                                    {"text/csv, */*;q=0.1", 100},
                                                    {"text/*", 0},
                                                    {"application/json;q=0, */*", 0},
                                                    {"*/*, application/json;q=0", 0},
                                                    {"application/json;q=0.0", 0},
                                                    {"application/json;charset=utf-8", 1000},
                                                    {"application/json;v=\"1,2;q=0\";q=0.3", 300},
                                                    {"application/xml;q=0.9,application/json;q=0.001", 1},
                                                    {"text/html, *; q=.2, */*; q=.2", 200},
                                                    {"application/problem+json", 0},
                                                    {"json", 0},
                                                    {"application", 0},
                                                    {"application/", 0},
                                                    {"/*", 0},
                                                    {"application/json;q=7", 1000},
                                                    {"application/json;q=", 1000},
                                                    {"application/json ; Q=0.25", 250}};
  for (const auto& [header, weight] : cases)
    EXPECT_EQ(media_weight(header, "application/json"), weight) << header;
}

TEST(Accept, WeighsCodings) {
  const std::pair<const char*, uint32_t> cases[] = {{"", 0},
                                                    {"gzip", 1000},
                                                    {"br, GZIP;q=0.8", 800},
                                                    {"*", 1000},
                                                    {"gzip;q=0, *", 0},
                                                    {"*;q=0", 0},
                                                    {"x-gzip", 0},
                                                    {"identity", 0},
                                                    {"gzip;q=0.000", 0},
                                                    {"deflate, gzip;q=1.0, *;q=0.5", 1000}};
  for (const auto& [header, weight] : cases) EXPECT_EQ(coding_weight(header, "gzip"), weight) << header;
}

}  // namespace
}  // namespace micropay
