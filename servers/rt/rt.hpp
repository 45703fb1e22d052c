// Everything a server usually includes.
#pragma once

#include "servers/rt/broker.hpp"
#include "servers/rt/client.hpp"
#include "servers/rt/env.hpp"
#include "servers/rt/lock.hpp"
#include "servers/rt/object_server.hpp"
#include "servers/rt/ref.hpp"
#include "servers/rt/region.hpp"
#include "servers/rt/serve.hpp"
#include "servers/rt/text.hpp"
#include "servers/rt/thread.hpp"
