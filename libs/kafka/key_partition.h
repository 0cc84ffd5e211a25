// In which partition a key is: the one that Kafka's own clients choose, too (murmur2).
#pragma once

#include <cstdint>
#include <string_view>

namespace micropay::kafka {

uint32_t murmur2(std::string_view bytes);
inline uint32_t key_partition(std::string_view key, uint32_t partitions) {
  return (murmur2(key) & 0x7fffffff) % partitions;
}

}  // namespace micropay::kafka
