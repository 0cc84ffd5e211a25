// The words of the wire form that this service's code uses throughout.
#pragma once

#include "libs/eureka/instance.h"

namespace micropay::discovery {

using eureka::Action;
using eureka::Instance;
using eureka::instance_from;
using eureka::InstancePtr;
using eureka::is_id;
using eureka::is_metadata_key;
using eureka::kMaxDocumentBytes;
using eureka::kMaxMetadata;
using eureka::kMaxText;
using eureka::Node;
using eureka::parse_status;
using eureka::read_json;
using eureka::read_xml;
using eureka::Status;
using eureka::status_text;
using eureka::upper;
using eureka::write_instance;
using eureka::write_json;
using eureka::write_xml;

}  // namespace micropay::discovery
