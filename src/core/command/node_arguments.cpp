#include "core/command/node_arguments.h"

#include <algorithm>

namespace ni {
namespace {

constexpr std::string_view kUnref = R"js(import c from'node:cluster';
const p=process.channel,g=c._getServer;
if(c.isWorker&&p&&g){p.unref();
c._getServer=function(o,q,f){p.ref();return g.call(this,o,q,function(...a){p.unref();return f.apply(this,a)})}}
)js";

// Counts connections, by the diagnostics channel that lib/net.js, onconnection, tells of each, and
// says how many when nodeinit asks, once more when the worker drains.
//
// `r.shouldKeepAlive = false` is how node lib/_http_server.js itself ends a connection after its
// response. The listener stands before Node's own, so that server.close() finds
// closeIdleConnections replaced. Nothing is imported but what a worker has loaded anyway (cluster,
// and with net the channels): https alone costs 20 ms of start. What has closeIdleConnections is a server of HTTP/1.
constexpr std::string_view kServers =
    R"js(import c from'node:cluster';import d from'node:diagnostics_channel';
const g=c._getServer,a=new Set,k='NODE_NODEINIT_CONNECTIONS';let n=0,w=false;
const tell=()=>{if(process.connected)process.send({cmd:k,count:n},()=>{})};
if(c.isWorker&&g){d.subscribe('net.server.socket',()=>{n++});
c._getServer=function(o,...r){
if(o&&o.getConnections&&!a.has(o)){a.add(o);o.once('close',()=>a.delete(o))}
return g.call(this,o,...r)};
process.prependListener('internalMessage',m=>{if(!m)return;
if(m.cmd===k){w=true;return tell()}
if(m.cmd!=='NODE_CLUSTER'||m.act!=='disconnect')return;
if(w)tell();
for(const s of a){const e=s.closeIdleConnections;if(!e)continue;
s.prependListener('request',(q,r)=>{r.shouldKeepAlive=false});
s.closeIdleConnections=()=>{};setTimeout(()=>{e.call(s);setInterval(()=>e.call(s),100).unref()},2000).unref()}})}
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
  add(kServers);
  return arguments;
}

}  // namespace ni
