#include "core/node_arguments.h"

#include <algorithm>

namespace ni {
namespace {

constexpr std::string_view kUnref = R"js(import c from'node:cluster';
const p=process.channel,g=c._getServer;
if(c.isWorker&&p&&g){p.unref();
c._getServer=function(o,q,f){p.ref();return g.call(this,o,q,function(...a){p.unref();return f.apply(this,a)})}}
)js";

// server.close() of Node 18.19 ends connections that are idle at that moment; those that become
// idle later, and all of older ones, are ended by the header.
constexpr std::string_view kClose = R"js(import c from'node:cluster';import h from'node:http';
if(c.isWorker&&parseInt(process.versions.node)<20){
const w=c.worker,s=new Set,r=h.ServerResponse.prototype,o=r.writeHead,l=h.Server.prototype.emit;
r.writeHead=function(...a){if(w.exitedAfterDisconnect){this.shouldKeepAlive=false}return o.apply(this,a)};
h.Server.prototype.emit=function(e,...a){if(e==='request')s.add(this);return l.call(this,e,...a)};
process.on('internalMessage',m=>{if(m&&m.act==='disconnect')setImmediate(()=>{for(const x of s)x.closeIdleConnections&&x.closeIdleConnections()})})}
)js";

// As the path of a data: URL, for which a blank or a line's end would be dropped, '?' and '#' end
// it.
std::string data_url(std::string_view script) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!~*'(),;:@&=+$/";
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string url = "data:text/javascript,";
  for (const char c : script) {
    if (c == '\n') continue;
    if (kPlain.find(c) != std::string_view::npos) {
      url += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    url += '%';
    url += kHex[byte >> 4U];
    url += kHex[byte & 15U];
  }
  return url;
}

}  // namespace

std::vector<std::string> preload_arguments(const NodeFeatures& node, bool goes_first) {
  std::vector<std::string> arguments;
  if (!node.has_import) return arguments;
  const auto add = [&](std::string_view script) {
    arguments.emplace_back("--import");
    arguments.push_back(data_url(script));
  };
  if (goes_first) add(kUnref);
  if (!node.closes_idle_connections) add(kClose);
  return arguments;
}

}  // namespace ni
