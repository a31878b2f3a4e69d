"""The live window: display -> window -> hud, hotkeys, help_card."""
