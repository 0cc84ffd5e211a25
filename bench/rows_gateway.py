"""The gateway by itself, in front of one upstream that answers one payment: token check (ES256), rate limit, JSON to
gRPC and back; beside nginx as a plain proxy and HAProxy with its JWT check, each before a static nginx that answers the
same bytes. All of them may use every core; they are measured in turns."""

import base64
import json
import shutil
import statistics
import subprocess
import time
from pathlib import Path

from common import BUILD, CONNECTIONS, SECONDS, BenchFailed, free_port, wait_until
from floors import CONF
from generators import wrk

PROXY = """daemon off; worker_processes auto; pid {0}/proxy.pid; error_log {0}/proxy.err;
events {{ worker_connections 1024; }}
http {{ access_log off; keepalive_requests 1000000000; client_body_temp_path {0}/pb; proxy_temp_path {0}/pp;
fastcgi_temp_path {0}/pf; uwsgi_temp_path {0}/pu; scgi_temp_path {0}/ps;
upstream one {{ server 127.0.0.1:{2}; keepalive 64; keepalive_requests 1000000000; }}
server {{ listen 127.0.0.1:{1}; location / {{ proxy_pass http://one; proxy_http_version 1.1;
proxy_set_header Connection ""; }} }} }}"""
HAPROXY = """global
  maxconn 2000
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend in
  bind 127.0.0.1:{1}
  http-request set-var(txn.bearer) http_auth_bearer
  http-request set-var(txn.alg) var(txn.bearer),jwt_header_query('$.alg')
  http-request deny unless {{ var(txn.alg) -m str ES256 }}
  http-request deny unless {{ var(txn.bearer),jwt_verify(txn.alg,"{0}/public.pem") -m int 1 }}
  default_backend one
backend one
  server one 127.0.0.1:{2}
"""
TURNS = 3


def openssl(*words, data=b""):
    return subprocess.run(["openssl", *words], input=data, capture_output=True, check=True).stdout


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def es256_token(folder):
    """A token like ours, by openssl; its public key is written beside."""
    key = f"{folder}/private.pem"
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
    openssl("ec", "-in", key, "-pubout", "-out", f"{folder}/public.pem")
    now = int(time.time())
    claims = {"sub": "01890a5d-ac96-774b-bcce-b302099a8057", "roles": ["USER"], "iat": now, "exp": now + 3600}
    text = b".".join(encoded(json.dumps(part).encode()) for part in ({"alg": "ES256", "typ": "JWT"}, claims))
    der = openssl("dgst", "-sha256", "-sign", key, data=text)
    numbers, at = b"", 2  # SEQUENCE { INTEGER r, INTEGER s }
    for _ in range(2):
        size = der[at + 1]
        numbers += int.from_bytes(der[at + 2:at + 2 + size], "big").to_bytes(32, "big")
        at += 2 + size
    return (text + b"." + encoded(numbers)).decode()


def rate_of(url, token, folder):
    script = Path(folder) / "token.lua"
    script.write_text(f'wrk.headers["Authorization"] = "Bearer {token}"\n')
    run = wrk(url, CONNECTIONS, max(2, SECONDS // 3), script=script)
    if run["refused"]:
        raise BenchFailed(f"{url} refused {run['refused']} requests")
    return run["rate"]


def gateway(bench):
    """The gateway alone in front of one upstream, with token check and rate limit, beside nginx and HAProxy."""
    if not shutil.which("haproxy") or not shutil.which("nginx"):
        bench.report.detail("gateway", "not measured", "needs the Debian packages haproxy and nginx")
        return
    folder = Path(bench.folder) / "gateway"
    folder.mkdir()
    ports = {name: free_port() for name in ("service", "gateway", "static", "proxy", "haproxy")}
    started = []

    def start(*command, **options):
        started.append(subprocess.Popen([str(word) for word in command], **options))
        return started[-1]

    try:
        start(BUILD / "bench_rpc", "service", ports["service"], stdout=subprocess.DEVNULL)
        ours = start(BUILD / "bench_rpc", "gateway", ports["gateway"], ports["service"],
                     stdout=subprocess.PIPE, text=True)
        path, token = ours.stdout.readline().strip(), ours.stdout.readline().strip()
        body = wait_for_body(ports["gateway"], path, token)
        (folder / "nginx.conf").write_text(CONF.format(folder, ports["static"]).replace('"ok"', f"'{body}'"))
        (folder / "proxy.conf").write_text(PROXY.format(folder, ports["proxy"], ports["static"]))
        theirs = es256_token(folder)
        (folder / "haproxy.cfg").write_text(HAPROXY.format(folder, ports["haproxy"], ports["static"]))
        for command in (["nginx", "-c", folder / "nginx.conf"], ["nginx", "-c", folder / "proxy.conf"],
                        ["haproxy", "-q", "-f", folder / "haproxy.cfg"]):
            start(*command, stderr=subprocess.DEVNULL)
        for name in ("proxy", "haproxy"):
            wait_for_body(ports[name], "/", theirs)
        refused = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}",
                                  f"http://127.0.0.1:{ports['haproxy']}/"], capture_output=True, text=True).stdout
        if refused == "200":
            raise BenchFailed("HAProxy checks no token")
        rates = {"gateway": [], "proxy": [], "haproxy": []}
        for _ in range(TURNS):
            rates["gateway"].append(rate_of(f"http://127.0.0.1:{ports['gateway']}{path}", token, folder))
            rates["proxy"].append(rate_of(f"http://127.0.0.1:{ports['proxy']}/", theirs, folder))
            rates["haproxy"].append(rate_of(f"http://127.0.0.1:{ports['haproxy']}/", theirs, folder))
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(20)
    own, nginx, haproxy = (statistics.median(rates[name]) for name in ("gateway", "proxy", "haproxy"))
    bench.report.row("gateway nginx", "gateway with token check and rate limit", f"nginx as a plain proxy {nginx:,.0f}/s",
                     share=own / nginx, rate=own)
    bench.report.row("gateway haproxy", "the same", f"HAProxy with ES256 {haproxy:,.0f}/s", ratio=own / haproxy)


def wait_for_body(port, path, token):
    found = []

    def asked():
        answer = subprocess.run(["curl", "-sf", "-H", f"Authorization: Bearer {token}", f"http://127.0.0.1:{port}{path}"],
                                capture_output=True, text=True)
        found[:] = [answer.stdout]
        return answer.returncode == 0
    wait_until(asked, 20, f"an answer at port {port}")
    return found[0]
