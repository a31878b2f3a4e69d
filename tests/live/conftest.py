"""What live sessions run with."""

from fixtures.engines import quickest_engine as quickest_engine
