"""What users copy: the Kubernetes manifests, the compose file and the Dockerfiles say what nodeinit does."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from container import table
from support import cache, node, nodeinit

yaml = pytest.importorskip("yaml", reason="python3-yaml is not installed")

TOP = nodeinit.TOP
MANIFESTS = sorted((TOP / "docker/kubernetes").glob("*.yaml"))
HEALTH = ["/sbin/nodeinit", "ctl", "health"]
# What the manifests are checked against: Kubernetes' OpenAPI as TypeScript types and as validators.
SCHEMAS = {"kubernetes-models": "5.1.0", "@kubernetes-models/prometheus-operator": "6.0.0", "@kubernetes-models/keda": "2.0.0",
           "typescript": "7.0.2"}  # fmt: skip
# By a part of the API group: whose types are in a package of their own.
OPERATORS = {"monitoring": "prometheus-operator", "keda": "keda"}


def documents(kind=None):
    found = [(file.name, doc) for file in MANIFESTS for doc in yaml.safe_load_all(file.read_text()) if doc]
    assert found
    return [(name, doc) for name, doc in found if kind in (None, doc["kind"])]


def containers():
    for name, doc in documents():
        template = doc.get("spec", {}).get("template")
        if template:
            for container in template["spec"]["containers"]:
                yield name, doc, template, container


def settings_of(container) -> dict:
    return {entry["name"]: entry["value"] for entry in container.get("env", [])}


def ports_of(container) -> dict:
    return {port["name"]: port["containerPort"] for port in container.get("ports", [])}


def test_probes_ask_what_nodeinit_answers():
    seen = set()
    for name, doc, _, container in containers():
        if doc["kind"] != "Deployment":
            continue
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            how = container[probe]
            if "exec" in how:
                assert how["exec"]["command"] in ([*HEALTH, "ready"], [*HEALTH, "live"]), (name, probe)
                assert (how["exec"]["command"][-1] == "live") == (probe == "livenessProbe"), (name, probe)
            else:
                wanted = {"startupProbe": "/startupz", "readinessProbe": "/readyz", "livenessProbe": "/livez"}[probe]
                assert how["httpGet"]["path"] == wanted, name
                port = ports_of(container)[how["httpGet"]["port"]]
                assert settings_of(container)["NODEINIT_HTTP"] == f":{port}", name
            seen.add("exec" if "exec" in how else "httpGet")
        startup = container["startupProbe"]
        assert startup["periodSeconds"] * startup["failureThreshold"] >= 60, "NODEINIT_READY_TIMEOUT"
    assert seen == {"exec", "httpGet"}


def test_the_grace_of_a_pod_is_longer_than_nodeinits():
    told = subprocess.run([nodeinit.binary(), "--print-config"], capture_output=True, text=True, check=True,
                          env={"KUBERNETES_SERVICE_HOST": "10.0.0.1"}).stdout  # fmt: skip
    grace = int(re.search(r'^grace = "(\d+)s"', told, re.MULTILINE)[1])
    for name, _, template, container in containers():
        assert "NODEINIT_GRACE" not in settings_of(container), name
        assert grace < template["spec"]["terminationGracePeriodSeconds"], name


def test_services_serve_on_while_their_endpoints_are_removed():
    for name, doc, _, container in containers():
        if doc["kind"] == "Deployment":
            assert seconds(settings_of(container)["NODEINIT_STOP_DELAY"]) >= 3, name


def test_pods_are_restricted_and_memory_is_guaranteed():
    for name, _, template, container in containers():
        pod, own = template["spec"]["securityContext"], container["securityContext"]
        assert pod["runAsNonRoot"] and pod["runAsUser"] > 0, name
        assert pod["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert own["capabilities"] == {"drop": ["ALL"]} and own["readOnlyRootFilesystem"], name
        assert own["allowPrivilegeEscalation"] is False, name
        resources = container["resources"]
        assert resources["limits"]["memory"] == resources["requests"]["memory"], name
        assert resources["limits"]["cpu"], name
        assert "preStop" not in container.get("lifecycle", {}), name


def test_settings_in_manifests_are_nodeinits():
    for name, _, _, container in containers():
        done = subprocess.run([nodeinit.binary(), "--check"], capture_output=True, text=True, env=settings_of(container))
        assert done.returncode == 0 and "warning" not in done.stderr, (name, done)


def test_the_file_of_several_programs_is_in_order(tmp_path):
    maps = documents("ConfigMap")
    assert maps
    for name, doc in maps:
        for file, text in doc["data"].items():
            (tmp_path / file).write_text(text)
            done = subprocess.run([nodeinit.binary(), "--config", tmp_path / file, "--check"], capture_output=True,
                                  text=True, env={"PATH": f"{Path(node.path(22)).parent}:{nodeinit.PATH}"})  # fmt: skip
            assert done.returncode == 0, (name, done)
            # The container is told to read just this file, from where it is mounted.
            (container,) = (c for n, _, _, c in containers() if n == name)
            option, path = container["args"]
            folder = next(m["mountPath"] for m in container["volumeMounts"] if m["mountPath"] != "/tmp")
            assert (option, path) == ("--config", f"{folder}/{file}")


def test_what_refers_to_another_object_finds_it():
    deployments = {doc["metadata"]["name"]: doc for _, doc in documents("Deployment")}
    for name, doc in deployments.items():
        labels = doc["spec"]["template"]["metadata"]["labels"]
        assert doc["spec"]["selector"]["matchLabels"].items() <= labels.items(), name
        for spread in doc["spec"]["template"]["spec"].get("topologySpreadConstraints", []):
            assert spread["labelSelector"]["matchLabels"].items() <= labels.items(), name
    (_, service), = documents("Service")  # fmt: skip
    pod = deployments["example"]["spec"]["template"]
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    named = ports_of(pod["spec"]["containers"][0])
    assert all(port["targetPort"] in named for port in service["spec"]["ports"])
    (_, monitor), = documents("ServiceMonitor")  # fmt: skip
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    for endpoint in monitor["spec"]["endpoints"]:
        assert endpoint["path"] == "/metrics"
        assert endpoint["port"] in [port["name"] for port in service["spec"]["ports"]]
    (_, budget), = documents("PodDisruptionBudget")  # fmt: skip
    assert budget["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    (_, scaler), = documents("HorizontalPodAutoscaler")  # fmt: skip
    assert scaler["spec"]["scaleTargetRef"]["name"] in deployments
    assert "replicas" not in deployments[scaler["spec"]["scaleTargetRef"]["name"]]["spec"]


def test_every_manifest_is_in_the_recipe_page():
    page = (TOP / "docker/kubernetes/README.md").read_text()
    assert [file.name for file in MANIFESTS if f"]({file.name})" not in page] == []


def test_the_readmes_table_of_engines_has_what_the_tests_show():
    written = [line.split(" | ")[0].removeprefix("| ") for line in table.table_in().splitlines()[2:]]
    assert written == table.rows(), "cure: tests/container/table.py (see there)"
    assert "FAILED" not in table.table_in()


def test_the_compose_file_says_what_the_image_does():
    service = yaml.safe_load((TOP / "docker/compose.yaml").read_text())["services"]["web"]
    assert service["healthcheck"]["test"] == ["CMD", *HEALTH, "ready"]
    assert service["init"] is False
    assert seconds(service["environment"]["NODEINIT_GRACE"]) < seconds(service["stop_grace_period"])
    environment = {name: value for name, value in service["environment"].items() if name.startswith("NODEINIT_")}
    done = subprocess.run([nodeinit.binary(), "--check"], capture_output=True, text=True, env=environment)
    assert done.returncode == 0 and "warning" not in done.stderr, done


def seconds(text) -> int:
    return int(re.fullmatch(r"(\d+)s", text)[1])


def test_dockerfiles_use_the_exec_form_and_name_no_moving_target():
    for file in ("docker/Dockerfile", "Dockerfile.example"):
        text = (TOP / file).read_text()
        lines = [line for line in text.replace("\\\n", " ").splitlines() if not line.lstrip().startswith("#")]
        assert lines, file
        for line in lines:
            word, _, rest = line.strip().partition(" ")
            if word in ("ENTRYPOINT", "CMD"):
                json.loads(rest)  # JSON, or a shell would be PID 1
            if word == "HEALTHCHECK":
                assert json.loads(rest.partition("CMD ")[2]) == [*HEALTH, "ready"], file
            assert word != "ADD" and not rest.endswith(":latest") and "sudo" not in rest, (file, line)
        users = [line.split()[1] for line in lines if line.startswith("USER ")]
        assert users and all(re.fullmatch(r"[1-9]\d*:[1-9]\d*", user) for user in users), (file, users)


@pytest.mark.long
def test_manifests_are_what_kubernetes_declares(tmp_path):
    assert problems(tmp_path, documents()) == ""
    # The check finds what it is there for.
    name, doc = documents("Deployment")[0]
    misspelt = json.loads(json.dumps(doc).replace("minReadySeconds", "minReadySecond"))
    assert "minReadySecond" in problems(tmp_path, [(name, misspelt)])
    wrong = json.loads(json.dumps(doc).replace('"1Gi"', '"1Gib"'))
    assert "quantity" in problems(tmp_path, [(name, wrong)])


# Unknown fields and wrong types by the compiler, quantities and formats by the validators.
def problems(folder, docs) -> str:
    packages = cache.once("manifests/" + "-".join(SCHEMAS.values()), _install)
    text = ""
    for index, (name, doc) in enumerate(docs):
        package = next((f"@kubernetes-models/{name}" for group, name in OPERATORS.items() if group in doc["apiVersion"]),
                       "kubernetes-models")  # fmt: skip
        kind = doc["kind"]
        text += (
            f'import {{ {kind} as K{index}, type I{kind} as I{index} }} from "{package}/{doc["apiVersion"]}/{kind}";\n'
            f"// {name}\nconst d{index}: I{index} = {json.dumps(doc, indent=1)};\nnew K{index}(d{index}).validate();\n"
        )
    (folder / "check.mts").write_text(text)
    (folder / "tsconfig.json").write_text(
        '{"compilerOptions": {"strict": true, "noEmit": true, "module": "nodenext", "moduleResolution": "nodenext",'
        ' "skipLibCheck": true, "types": []}, "files": ["check.mts"]}'
    )
    link = folder / "node_modules"
    if not link.exists():
        link.symlink_to(packages / "node_modules")
    said = ""
    for words in ([node.path(22), packages / "node_modules/typescript/bin/tsc", "-p", "."], [node.path(22), "check.mts"]):
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=120)
        said += done.stdout + done.stderr if done.returncode else ""
    return said


def _install(target):
    (target / "package.json").write_text(json.dumps({"private": True, "dependencies": SCHEMAS}))
    subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=target,
                   check=True, timeout=600, stdin=subprocess.DEVNULL, env={"PATH": nodeinit.PATH, "HOME": str(target)})  # fmt: skip


@pytest.mark.long
def test_compose_itself_accepts_the_file():
    if not shutil.which("docker-compose", path=nodeinit.PATH):
        pytest.skip("docker-compose is not installed")
    done = subprocess.run(["docker-compose", "-f", TOP / "docker/compose.yaml", "config"], capture_output=True, text=True,
                          env={"PATH": nodeinit.PATH, "HOME": "/tmp"})  # fmt: skip
    assert done.returncode == 0, done.stderr
