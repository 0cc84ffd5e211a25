// What the simulator's clients know of the world: the ids of every record that was ever written, gathered
// from committed ticks, and the secrets that only clients hold (passwords, tokens).
#pragma once

#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "app/simulator/random.h"
#include "libs/store/store.h"

namespace micropay::app {

class Known {
 public:
  struct Record {
    std::string id;
    Row row;  // as it was written last
  };
  void take(const Tick& tick);
  // A record of this type, or null when there is none; mostly one of the newest.
  const Record* any(const google::protobuf::Descriptor* type, Random& random) const;
  const Record* find(const google::protobuf::Descriptor* type, const std::string& id) const;
  const std::vector<Record>& all(const google::protobuf::Descriptor* type) const;
  template <typename T>
  const T* any_of(Random& random) const {
    const Record* record = any(T::descriptor(), random);
    return record ? static_cast<const T*>(record->row.get()) : nullptr;
  }
  template <typename T>
  const T* get(const std::string& id) const {
    const Record* record = find(T::descriptor(), id);
    return record ? static_cast<const T*>(record->row.get()) : nullptr;
  }

  size_t few = 0;  // this run's clients mostly come back to so many records; 0: to any
  std::map<std::string, std::string> passwords;  // by e-mail address
  std::vector<std::string> refresh_tokens;

 private:
  struct Pool {
    std::vector<Record> records;
    std::unordered_map<std::string, size_t> places;  // by id
  };
  std::map<const google::protobuf::Descriptor*, Pool> pools_;
};

}  // namespace micropay::app
