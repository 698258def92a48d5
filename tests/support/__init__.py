"""What integration tests share. Each module tells its API at its top.

    from support import apps, cgroup, http, node, nodeinit, wrk

    def test_a_service_answers(tmp_path):
        app = apps.make(tmp_path, "express")                 # server.js beside a node_modules
        port = nodeinit.free_port()
        with nodeinit.start([node.path(22), app.script], env={"PORT": port}) as pid1:
            pid1.wait_port(port)
            assert http.get(port).status == 200
            assert pid1.stop() == 0
"""
