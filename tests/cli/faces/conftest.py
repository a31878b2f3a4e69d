"""What commands that follow faces run with."""

from fixtures.engines import quickest_engine as quickest_engine
