// The end of a run: everything is healed, nothing is under way any more, and now the whole must fit together.
// Checked are the invariants of `micropay verify`, that nothing is left half done, that every service heard
// every event, that the log gives the same tables again, and that the money is where a model of it says that
// knows only what clients asked for and what became of it.
#pragma once

#include <string>
#include <vector>

#include "app/simulator/clients.h"
#include "app/simulator/site.h"
#include "app/simulator/watch.h"

namespace micropay::app {

using Sites = std::vector<std::unique_ptr<Site>>;

// What does not fit; empty when all does.
std::string reckon(const Sites& sites, const Clients& clients, const Watch& watch);

// The tables of all sites as one store.
std::unique_ptr<Store> all_tables(const Sites& sites);

// What the clients' requests make of every account, against the balances; empty when they agree.
std::string check_money(const Store& tables, const std::deque<Request>& requests);

}  // namespace micropay::app
