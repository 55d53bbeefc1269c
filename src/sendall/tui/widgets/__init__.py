"""The widgets: each draws what it was given and tells keys and clicks as messages. They hold no business."""
