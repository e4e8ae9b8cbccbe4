"""The test rig: a real engine, images of real programs where no registry answers, and a host to deploy to over SSH."""
