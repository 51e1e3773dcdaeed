// Search runs in a worker. From file:// browsers refuse workers, so it runs in a hidden frame there.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const send = window.postMessage;
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      this.frame.srcdoc = `<script>
        var page = parent, answer = page.postMessage.bind(page);
        self.postMessage = function (data) { answer(data, "*"); };
        self.importScripts = function () {
          return Array.from(arguments).reduce(function (before, source) {
            return before.then(function () {
              return new Promise(function (resolve, reject) {
                var script = document.createElement("script");
                script.src = source; script.onload = resolve; script.onerror = reject;
                document.head.appendChild(script);
              });
            });
          }, Promise.resolve());
        };
      <\/script><script src="${new URL(url, location.href)}"><\/script>`;
      this.ready = new Promise((resolve) => this.frame.addEventListener("load", resolve, { once: true }));
      this.send = (data) => this.ready.then(() => send.call(this.frame.contentWindow, data, "*"));
      window.addEventListener("message", (event) => {
        if (event.source !== this.frame.contentWindow) return;
        const message = new MessageEvent("message", { data: event.data });
        this.dispatchEvent(message);
        this.onmessage?.(message);
      });
      document.body.append(this.frame);
    }
    postMessage(data) {
      this.send(data);
    }
    terminate() {
      this.frame.remove();
    }
  };
}
