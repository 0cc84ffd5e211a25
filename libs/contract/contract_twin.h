// Test twin of the contracts: files in a pool of their own, parsed from text at run time, so that a test can
// write a small contract or change a real one in a scratch copy. Everything lives until the process ends,
// because plans are kept by the descriptors' addresses.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "libs/contract/model.h"

namespace micropay::contract {

// Texts by file name; every other import is read from the repository's own contracts/. Aborts on a parse
// error.
const Model& scratch_model(const std::map<std::string, std::string>& texts);
// The same with a head added: proto3, package micropay, imports, option (service) named "test".
const Model& scratch_model(const std::string& body);
// The text of a contract of the repository: "contracts/payment.proto".
std::string contract_text(const std::string& name);
std::vector<std::string_view> contract_files();

}  // namespace micropay::contract
