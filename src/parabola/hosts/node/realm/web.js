(function () {});
